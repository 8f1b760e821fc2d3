import { shellWords } from "../../host/shell-words.ts";
import { requireTool } from "../../host/tool.ts";
import type { ValidateContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { checkPowerCommand, isPowerCommand } from "../../drivers/power/power-command.ts";

export interface DeviceCommand {
  /** As the dictionary has it, for the log. */
  readonly text: string;
  readonly argv: readonly [string, ...string[]];
}

/**
 * The commands of a dictionary's key, which is a text or a list of them (DEVICE.md 1.2); none when it is not set.
 *
 * @throws JobFailure Configuration for anything else, and for a text that can't be split into words.
 */
export function commandList(value: unknown, key: string): DeviceCommand[] {
  if (value === undefined || value === null || value === "") return [];
  return (Array.isArray(value) ? value : [value]).map((text: unknown) => {
    if (typeof text !== "string") {
      const message = `${key} of the device: expected a command or a list of commands, not ${JSON.stringify(text)}`;
      throw new JobFailure("Configuration", message);
    }
    return { text, argv: wordsOf(text, key) };
  });
}

function wordsOf(text: string, key: string): readonly [string, ...string[]] {
  let words: string[];
  try {
    words = shellWords(text);
  } catch (cause) {
    const message = `${key} of the device: ${JSON.stringify(text)}: ${(cause as Error).message}`;
    throw new JobFailure("Configuration", message, { cause });
  }
  const [program, ...args] = words;
  if (program) return [program, ...args];
  throw new JobFailure("Configuration", `${key} of the device: an empty command`);
}

/** What only a shell understands: LAVA gives it to the program as an argument, and so do we. */
const SHELL_WORDS = /^(?:;|&&|\|\||\||&|[0-9]*>{1,2}.*|<.*)$|;$/;

/**
 * Makes sure, before any hardware is touched, that what the commands start is there.
 *
 * @throws JobFailure Configuration or Infrastructure.
 */
export function checkCommands({ log }: ValidateContext, value: unknown, key: string): void {
  for (const { text, argv } of commandList(value, key)) {
    const odd = argv.find((word) => SHELL_WORDS.test(word));
    if (odd !== undefined) {
      log.warning(
        `${key} of the device: no shell runs ${JSON.stringify(text)}, so ${JSON.stringify(odd)} is an argument of ` +
          `${argv[0]}; use a list of commands, or sh -c '…'`,
      );
    }
    if (isPowerCommand(argv)) checkPowerCommand(argv.slice(1), key);
    else requireTool(argv[0]);
  }
}
