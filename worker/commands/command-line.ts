import { parseArgs, type ParseArgsConfig } from "node:util";
import { nearestWord } from "#protocol/nearest-word.ts";
import { saidTwice, valueWanted } from "#protocol/option-words.ts";

/** What was typed is wrong: exit code 2. */
export class UsageError extends Error {}

/** Options and positionals of a command. Throws `UsageError` with what Node.js says of them. */
export function parse<T extends NonNullable<ParseArgsConfig["options"]>>(
  args: string[],
  options: T,
) {
  try {
    const read = parseArgs({ args, options, allowPositionals: true, tokens: true });
    const twice = saidTwice(read.tokens, options);
    if (twice !== undefined) throw new UsageError(twice);
    return read;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const said = (error as Error).message.replace(/\. To specify a positional.*/s, "");
    const unknown = /^Unknown option '-*([^']*)'/.exec(said)?.[1];
    const near = unknown && nearestWord(unknown, Object.keys(options));
    const wanting = valueWanted(said);
    if (wanting !== undefined) throw new UsageError(wanting);
    throw new UsageError(near ? `${said}, did you mean --${near}?` : said);
  }
}

/** The value of an option that must be there. */
export function required(values: Record<string, unknown>, name: string): string {
  const value = values[name];
  if (typeof value !== "string" || value === "") throw new UsageError(`--${name} is missing`);
  return value;
}

/** Prints to standard output, for exit code 0. */
export function print(text: string): number {
  process.stdout.write(text);
  return 0;
}
