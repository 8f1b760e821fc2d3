import { expectPrompt } from "../../console/prompt.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import { bootloaderSettings, type BootloaderName } from "./methods.ts";
import { atPromptSlot } from "./slots.ts";

/**
 * `bootloader-interrupt` (DISPATCHER.md 10.1): waits until the loader can be interrupted and does so, or waits for the
 * prompt of one that comes to it by itself.
 */
export const bootloaderInterrupt = (method: BootloaderName): Action => ({
  name: "bootloader-interrupt",
  needs: [consoleSlot],
  onTimeout: "Infrastructure",
  validate: async ({ job }) => void bootloaderSettings(method, job),
  run: (context) => interrupt(context, method),
});

async function interrupt(context: RunContext, method: BootloaderName): Promise<void> {
  const { job, connection, log } = context;
  const console = connection.take(consoleSlot);
  const settings = bootloaderSettings(method, job);
  connection.put(atPromptSlot, false);
  if (!settings.needsInterrupt) {
    log.debug(`Not interrupting ${method}: it comes to its prompt by itself`);
    await expectPrompt(console, { prompt: settings.prompt }, { ...untilDeadline(context), log });
    return connection.put(atPromptSlot, true);
  }
  await console.expect({ interrupt: settings.interruptPrompt }, untilDeadline(context));
  const { interruptControl, interruptCharacter, interruptNewline, lineEnd } = settings;
  if (interruptControl.length > 0) {
    for (const letter of interruptControl) await console.send(controlCharacter(letter));
    return;
  }
  await console.send(interruptCharacter + (interruptNewline ? lineEnd : ""));
}

/** Ctrl with a letter, as a terminal sends it. */
const controlCharacter = (letter: string): string =>
  String.fromCodePoint((letter.toUpperCase().codePointAt(0) ?? 0) & 0x1f);

/**
 * A wait that only the action's own end cuts short, so that what is reported is whose fault that is and not that a
 * prompt was awaited in vain.
 */
export const untilDeadline = ({
  timeoutSeconds,
  signal,
}: Pick<RunContext, "timeoutSeconds" | "signal">): {
  timeoutSeconds: number;
  signal: AbortSignal;
} => ({
  timeoutSeconds: timeoutSeconds + 60,
  signal,
});
