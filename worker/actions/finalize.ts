import type { Action, RunContext } from "../pipeline/action.ts";
import { showsLastPrompt } from "../console/prompt-likeness.ts";
import { JobFailure } from "../pipeline/job-failure.ts";
import { consoleSlot } from "../pipeline/job-slots.ts";
import { checkCommands } from "./power/command-list.ts";
import { powerOff } from "./power/power-actions.ts";

/** How long the consoles' last words are awaited at most, and after how much silence they were the last. */
const LAST_WORDS_SECONDS = 1;
const SILENCE_SECONDS = 0.1;
/** Of a board that keeps its power: nothing makes it say more, and only what is on its way is awaited. */
const RUNNING_SILENCE_SECONDS = 0.02;

/** What ends every job that was started (DISPATCHER.md 4): power off, then what the consoles still say. */
export const finalize = (namespaces: readonly string[]): Action => ({
  name: "finalize",
  steps: [
    {
      name: "power-off",
      onTimeout: "Infrastructure",
      validate: async (context) => {
        // A job is not refused for how it would end.
        try {
          checkCommands(context, context.job.device.commands?.["power_off"], "commands.power_off");
        } catch (error) {
          context.log.warning(`power-off will fail: ${JobFailure.from(error).message}`);
        }
      },
      run: async (context) => {
        await powerOff.run?.(context);
        if (!hasConnections(context)) await closeConsoles(context, namespaces);
        // As in LAVA, only a device that has commands has a record of it (DISPATCHER.md 14).
        if (context.job.device.commands) context.record({ status: "success" });
      },
    },
    {
      name: "read-feedback",
      run: async (context) => {
        await Promise.all(namespaces.map((namespace) => lastWords(context, namespace)));
        await closeConsoles(context, namespaces);
      },
    },
  ],
});

/** Without them, what is behind a console is a program that this job has started: closing it is its power-off. */
const hasConnections = ({ job: { device } }: RunContext): boolean =>
  Boolean(device.commands?.["connect"] ?? device.commands?.["connections"]);

async function lastWords({ slotsOf, signal, job }: RunContext, namespace: string): Promise<void> {
  const isOff = job.device.commands?.["power_off"] !== undefined;
  const timeoutSeconds = isOff ? SILENCE_SECONDS : RUNNING_SILENCE_SECONDS;
  const console = slotsOf(namespace).find(consoleSlot);
  const ends = performance.now() + LAST_WORDS_SECONDS * 1000;
  while (console?.isOpen && performance.now() < ends) {
    // A shell that has nothing to do says no more.
    if (!isOff && showsLastPrompt(console)) return;
    const { received } = console;
    const wait = { timeoutSeconds, signal, quiet: { ms: 0, since: received } };
    await console.tryExpect({ never: /(?!)/g }, wait).catch(() => signal.throwIfAborted());
    if (console.received === received) return;
  }
}

async function closeConsoles(
  { slotsOf }: RunContext,
  namespaces: readonly string[],
): Promise<void> {
  for (const namespace of namespaces) await slotsOf(namespace).find(consoleSlot)?.close();
}
