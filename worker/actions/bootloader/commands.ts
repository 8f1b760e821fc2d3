import type { BootBlock } from "#protocol/job-actions.ts";
import type { Console } from "../../console/console.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import { sawEcho } from "./echo.ts";
import { errorFailure, errorPatterns } from "./error-messages.ts";
import { controlCharacter, untilDeadline } from "./interrupt.ts";
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
  const { connection } = context;
  const console = connection.take(consoleSlot);
  // The DUT's system ends its lines in its own way: what was set for it comes back afterwards.
  const { lineEnd } = console;
  console.lineEnd = settings.lineEnd;
  const typist = { echoes: settings.verifiesEcho };
  try {
    for (const command of commands.flatMap(linesOf)) {
      if (!connection.find(atPromptSlot)) await awaitPrompt(context, console, settings);
      connection.put(atPromptSlot, false);
      await typeLine(context, console, settings, command, typist);
    }
    if (commands.length === 0 && !connection.find(atPromptSlot)) {
      await awaitPrompt(context, console, settings);
      connection.put(atPromptSlot, true);
    }
    if (final && commands.length > 0) {
      await awaitOne(context, console, settings, { final });
    }
  } finally {
    console.lineEnd = lineEnd;
  }
}

/** Each line has its prompt; a line end that YAML left at the end is none. */
const linesOf = (command: string): string[] => command.replace(/[\r\n]+$/, "").split(/\r?\n/);

const awaitPrompt = (
  context: RunContext,
  console: Console,
  settings: BootloaderSettings,
): Promise<void> => awaitOne(context, console, settings, { prompt: settings.prompt });

async function awaitOne(
  context: RunContext,
  console: Console,
  { errorMessages }: BootloaderSettings,
  awaited: Readonly<Record<string, RegExp>>,
): Promise<void> {
  const found = await console.expect<string>(
    { ...awaited, ...errorPatterns(errorMessages) },
    untilDeadline(context),
  );
  const failure = errorFailure(found, errorMessages);
  if (failure) throw failure;
}

/** How long a typed line's echo is waited for, beyond the time that typing takes. */
const ECHO_SECONDS = 1;
const MAX_TYPED = 3;
/** When characters were lost, they are typed with this much time between them. */
const CAREFUL_DELAY_MS = 5;

/**
 * Types one line. Where the loader echoes, the line end follows only when the echo is complete: a line that lost a
 * character on the wire is discarded (Ctrl-C) and typed again, slower. A prompt that came late (of the line end that
 * followed the interrupt) stands before the echo and is skipped with it.
 */
async function typeLine(
  context: RunContext,
  console: Console,
  settings: BootloaderSettings,
  line: string,
  typist: { echoes: boolean },
): Promise<void> {
  if (!typist.echoes) return console.sendLine(line);
  const { log, signal } = context;
  const delayMs = console.characterDelayMs;
  const received = console.received;
  try {
    for (let typed = 1; ; typed++) {
      await console.send(line);
      if (await sawEcho(console, line, { timeoutSeconds: ECHO_SECONDS, signal })) break;
      if (console.received === received) {
        log.warning(`${settings.name} does not echo what is typed: it is not checked from here on`);
        typist.echoes = false;
        break;
      }
      if (typed === MAX_TYPED) {
        log.warning(`what was typed did not come back as an echo; going on without`);
        break;
      }
      log.warning("the echo differs from what was typed: discarding the line, typing it again");
      console.characterDelayMs = Math.max(delayMs, CAREFUL_DELAY_MS);
      await console.send(controlCharacter("c"));
      await awaitPrompt(context, console, settings);
    }
  } finally {
    console.characterDelayMs = delayMs;
  }
  await console.endLine();
}
