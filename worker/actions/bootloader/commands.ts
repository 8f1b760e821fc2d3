import type { BootBlock } from "#protocol/job-actions.ts";
import type { Console, Match } from "../../console/console.ts";
import { expectPrompt } from "../../console/prompt.ts";
import { typeLine } from "../../console/type-line.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import { errorFailure, errorPatterns } from "./error-messages.ts";
import { untilDeadline } from "./interrupt.ts";
import { bootloaderSettings, type BootloaderName, type BootloaderSettings } from "./methods.ts";
import { atPromptSlot, bootCommandsSlot } from "./slots.ts";

export interface CommandsOptions {
  /** `bootloader-commands` unless said. */
  readonly name?: string;
  /** False: nobody waits for what the loader says when it hands over (method `bootloader`, mass storage). */
  readonly awaitsFinal?: boolean;
  /** Instead of what `bootloader-overlay` left. */
  readonly commands?: readonly string[];
}

/**
 * `bootloader-commands` (DISPATCHER.md 10.2): types the commands that `bootloader-overlay` left, one a prompt, and waits
 * for the final message where the loader has one.
 */
export const bootloaderCommands = (
  method: BootloaderName,
  block: BootBlock,
  { name = "bootloader-commands", awaitsFinal = true, commands }: CommandsOptions = {},
): Action => ({
  name,
  needs: [consoleSlot, ...(commands ? [] : [bootCommandsSlot])],
  defaultTimeoutSeconds: 90,
  onTimeout: "Infrastructure",
  validate: async ({ job }) => void bootloaderSettings(method, job, block),
  run: async (context) => {
    const settings = bootloaderSettings(method, context.job, block);
    await typeCommands(context, settings, commands ?? context.slots.take(bootCommandsSlot), {
      final: awaitsFinal ? settings.finalMessage : undefined,
    });
  },
});

/**
 * Types commands at a bootloader's prompt. Returns when the last was typed, or with `final` when that came after it.
 *
 * @throws JobFailure Infrastructure when the loader says one of its error messages.
 */
export async function typeCommands(
  context: RunContext,
  settings: BootloaderSettings,
  commands: readonly string[],
  { final }: { final?: RegExp | undefined },
): Promise<void> {
  const { connection, log, signal } = context;
  const { discard, prompt } = settings;
  const console = connection.take(consoleSlot);
  // The DUT's system ends its lines in its own way: what was set for it comes back afterwards.
  const { lineEnd } = console;
  console.lineEnd = settings.lineEnd;
  try {
    for (const command of commands.flatMap(linesOf)) {
      if (!connection.find(atPromptSlot)) await awaitPrompt(context, console, settings);
      connection.put(atPromptSlot, false);
      await typeLine(console, command, { discard, log, signal, prompts: [prompt] });
    }
    if (commands.length === 0 && !connection.find(atPromptSlot)) {
      await awaitPrompt(context, console, settings);
      connection.put(atPromptSlot, true);
    }
    if (final && commands.length > 0) {
      const { errorMessages } = settings;
      const awaited = { final, ...errorPatterns(errorMessages) };
      throwError(await console.expect<string>(awaited, untilDeadline(context)), errorMessages);
    }
  } finally {
    console.lineEnd = lineEnd;
  }
}

/** Each line has its prompt; a line end that YAML left at the end is none. */
const linesOf = (command: string): string[] => command.replace(/[\r\n]+$/, "").split(/\r?\n/);

/** @throws JobFailure Infrastructure when the loader says one of its error messages. */
export async function awaitPrompt(
  context: RunContext,
  console: Console,
  { prompt, errorMessages }: BootloaderSettings,
): Promise<void> {
  const others = errorPatterns(errorMessages);
  const wait = { ...untilDeadline(context), log: context.log, others };
  throwError(await expectPrompt(console, { prompt }, wait), errorMessages);
}

function throwError(found: Match<string>, messages: readonly RegExp[]): void {
  const failure = errorFailure(found, messages);
  if (failure) throw failure;
}
