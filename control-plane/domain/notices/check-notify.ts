import type { Deps } from "../deps.ts";
import { MAX_CALLBACKS, MAX_RECIPIENTS, type Notify } from "./criteria.ts";

/** What of a job's `notify` will not be as its submitter may expect: lines for the warnings of its submission. */
export function notifyWarnings(notify: Notify | undefined): string[] {
  if (!notify) return [];
  const { recipients = [], callbacks = [] } = notify;
  const warnings: string[] = [];
  if (recipients.some(({ to }) => to.method === "irc")) {
    warnings.push("notify: recipients by irc are told nothing; use a webhook of a chat instead");
  }
  if (recipients.length > MAX_RECIPIENTS) {
    warnings.push(`notify: only the first ${MAX_RECIPIENTS} recipients are told`);
  }
  if (callbacks.length > MAX_CALLBACKS) {
    warnings.push(`notify: only the first ${MAX_CALLBACKS} callbacks are called`);
  }
  return warnings;
}

/** The same of the saved queries that it names: those that its submitter can't use here, now. */
export async function queryWarnings(
  deps: Deps,
  notify: Notify | undefined,
  submitter: string,
): Promise<string[]> {
  if (!notify?.compare?.query && notify?.criteria.dependency_query === undefined) return [];
  const { findQueryFor, queriesOf } = await import("./noticed-query.ts");
  const warnings: string[] = [];
  for (const { where, query } of queriesOf(notify, submitter)) {
    if (await findQueryFor(deps, submitter, query)) continue;
    const told = JSON.stringify(query.join("/"));
    const then = where === "compare.query" ? "nothing is compared" : "nobody is told";
    warnings.push(
      `notify: ${where}: there is no query ${told} that ${submitter} may use: ${then} until there is (pumice queries)`,
    );
  }
  return warnings;
}
