import { argumentsOf, type Context } from "./command.ts";
import { printable } from "./printable.ts";

/**
 * Removes what the command's one argument names from a collection of the API, and says so. `argument`: what it is called in
 * `--help`; `said`: what is said when it is done.
 */
export async function removeNamed(
  context: Context,
  collection: string,
  argument = "NAME",
  said = (name: string): string => `${name} is removed`,
): Promise<number> {
  const [name = ""] = argumentsOf(context, argument);
  await context.client().json("DELETE", `/${collection}/${encodeURIComponent(name)}`);
  context.terminal.say(printable(said(name)));
  return 0;
}
