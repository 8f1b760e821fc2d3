import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { MAX_DEFINITION_BYTES } from "./jobs.ts";
import type { User } from "./principal.ts";

/** A large job is read in some seconds, and nobody else is served meanwhile; an editor that asks while one types needs less. */
const MOST_CHARS = 2 * 1024 * 1024;
const WINDOW_MS = 60_000;
const MOST_PEOPLE = 10_000;

interface Spent {
  chars: number;
  since: number;
}
const budgets = new WeakMap<Deps["table"], Map<string, Spent>>();

/**
 * Counts a job definition that is to be read for somebody, unless they take it back as it has become a job: of jobs there are quotas.
 * In this process only: it is about its time. Throws `throttled` once they have asked for 2 MiB in a minute.
 */
export function spendReading(
  { table, system }: Pick<Deps, "table" | "system">,
  { name }: Pick<User, "name">,
  text: string,
): { takeBack: () => void } {
  const people = budgets.get(table) ?? new Map<string, Spent>();
  budgets.set(table, people);
  // What is larger is refused unread.
  const chars = text.length > MAX_DEFINITION_BYTES ? 0 : text.length;
  const now = system.now();
  const found = people.get(name);
  const spent = found && found.since + WINDOW_MS > now ? found : { chars: 0, since: now };
  if (spent !== found) {
    people.delete(name);
    people.set(name, spent);
    const [oldest] = people.size > MOST_PEOPLE ? people.keys() : [];
    if (oldest !== undefined) people.delete(oldest);
  }
  if (spent.chars + chars > MOST_CHARS) {
    const retryAfterSeconds = Math.max(1, Math.ceil((spent.since + WINDOW_MS - now) / 1000));
    const message = `too much is checked for ${name}: at most 2 MiB of job definitions in a minute`;
    throw new AppError("throttled", message, { retryAfterSeconds });
  }
  spent.chars += chars;
  return { takeBack: () => void (spent.chars -= chars) };
}
