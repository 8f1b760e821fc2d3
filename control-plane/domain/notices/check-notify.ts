import { MAX_CALLBACKS, MAX_RECIPIENTS, type Notify } from "./criteria.ts";

/** What of a job's `notify` will not be as its submitter may expect: lines for the warnings of its submission. */
export function notifyWarnings(notify: Notify | undefined): string[] {
  if (!notify) return [];
  const { recipients = [], callbacks = [], criteria, compare } = notify;
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
  if (criteria.dependency_query !== undefined) {
    warnings.push("notify: dependency_query is not looked at; the job's own state decides");
  }
  if (compare?.query && "username" in compare.query) {
    warnings.push("notify: compare by a saved query says nothing; give entity and conditions");
  }
  return warnings;
}
