import type { Action } from "../pipeline/action.ts";
import { consoleSlot } from "../pipeline/job-slots.ts";

/** How long a guest may take to say its last words when its power is cut. */
const LAST_WORDS_SECONDS = 1;

/** What ends every job that was started (DISPATCHER.md 4): power off, then what the consoles still say. */
export const finalize = (namespaces: readonly string[]): Action => ({
  name: "finalize",
  steps: [
    {
      name: "power-off",
      onTimeout: "Infrastructure",
      run: async ({ slotsOf, record }) => {
        for (const namespace of namespaces) await slotsOf(namespace).find(consoleSlot)?.close();
        record({ status: "success" });
      },
    },
    {
      name: "read-feedback",
      run: async ({ slotsOf, signal }) => {
        const wait = { timeoutSeconds: LAST_WORDS_SECONDS, signal };
        for (const namespace of namespaces) {
          const console = slotsOf(namespace).find(consoleSlot);
          if (console?.isOpen) await console.tryExpect({ never: /(?!)/g }, wait);
        }
      },
    },
  ],
});
