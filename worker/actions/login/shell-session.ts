import { shellQuote } from "../../overlay/shell-quote.ts";
import type { Action } from "../../pipeline/action.ts";
import { consoleSlot, overlaySlot, promptsSlot } from "../../pipeline/job-slots.ts";
import { forcePrompt } from "./force-prompt.ts";
import { promptPatterns } from "./prompt-patterns.ts";

const DEFAULT_SHELL_FILE = "~/.bashrc";

/** Makes sure that a shell answers (DISPATCHER.md 8). */
export const expectShell: Action = {
  name: "expect-shell-connection",
  needs: [consoleSlot, promptsSlot],
  run: async (context) => {
    const { connection, signal, timeoutSeconds } = context;
    const console = connection.take(consoleSlot);
    const patterns = promptPatterns(connection.take(promptsSlot));
    await console.sendLine("");
    const found = await forcePrompt(context, console, expectShell.name, (seconds) =>
      console.tryExpect(patterns, { timeoutSeconds: seconds, signal }),
    );
    if (!found) throw console.timedOut(patterns, timeoutSeconds);
  },
};

/** Brings the lab's own variables (env-dut) into the DUT's shell, now and for later shells (DISPATCHER.md 8). */
export const exportDeviceEnv: Action = {
  name: "export-device-env",
  needs: [consoleSlot, promptsSlot],
  run: async ({ job, slots, connection, connectionTimeoutSeconds, signal }) => {
    const variables = Object.entries(job.envDut);
    if (variables.length === 0) return;
    const console = connection.take(consoleSlot);
    const patterns = promptPatterns(connection.take(promptsSlot));
    const overlay = slots.find(overlaySlot);
    const file = overlay ? overlay.shellFile : DEFAULT_SHELL_FILE;
    const exports = variables.map(([name, value]) => `export ${name}=${shellQuote(value)}`);
    const lines = file
      ? [...exports.map((line) => `echo ${shellQuote(line)} >> ${file}`), `. ${file}`]
      : exports;
    for (const line of lines) {
      await console.sendLine(line);
      await console.expect(patterns, { timeoutSeconds: connectionTimeoutSeconds, signal });
    }
  },
};
