import type { Match } from "../../console/console.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";

const PREFIX = "bootloader error ";

/** A bootloader's error messages by name, for `Console.expect`. */
export const errorPatterns = (messages: readonly RegExp[]): Record<string, RegExp> =>
  Object.fromEntries(messages.map((message, index) => [PREFIX + index, message]));

/** The failure that a match means; undefined when it is none of `errorPatterns` (DISPATCHER.md 5.3). */
export function errorFailure(
  { name, match, logLine }: Pick<Match<string>, "name" | "match" | "logLine">,
  messages: readonly RegExp[],
): JobFailure | undefined {
  if (!name.startsWith(PREFIX)) return undefined;
  const index = Number(name.slice(PREFIX.length));
  const pattern = messages[index]?.source ?? "";
  const said = match[0] === pattern ? "" : `: ${JSON.stringify(match[0])}`;
  const message = `matched a bootloader error message: '${pattern}' (${index})${said}`;
  return new JobFailure("Infrastructure", message, { evidence: { pattern, line: logLine } });
}
