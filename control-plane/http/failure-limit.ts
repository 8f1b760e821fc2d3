import { addressGroup, tooMany } from "../domain/sign-in-limits.ts";

/** Failures of an address in a minute, beyond which it is told to come later. */
const MOST_FAILURES = 60;
const WINDOW_MS = 60_000;
/** Addresses that are remembered; the oldest go first. */
const MOST_ADDRESSES = 10_000;

export interface FailureLimit {
  /** Throws `throttled` when the address has failed too often. */
  check(address: string): void;
  note(address: string): void;
}

/**
 * Counts what failed by address, in this process only: what it guards has so many bits that nobody guesses it, so it is about
 * the work that wrong ones cost, and counting in the table would cost more.
 */
export function makeFailureLimit(now: () => number): FailureLimit {
  const failures = new Map<string, { count: number; since: number }>();
  return {
    check(address) {
      const found = failures.get(addressGroup(address));
      if (!found || found.count < MOST_FAILURES) return;
      const left = found.since + WINDOW_MS - now();
      if (left > 0) throw tooMany(Math.ceil(left / 1000));
    },
    note(address) {
      // Where nobody knows addresses, all would share one.
      if (address === "unknown") return;
      const key = addressGroup(address);
      const found = failures.get(key);
      if (found && found.since + WINDOW_MS > now()) return void found.count++;
      failures.delete(key);
      failures.set(key, { count: 1, since: now() });
      const [oldest] = failures.size > MOST_ADDRESSES ? failures.keys() : [];
      if (oldest !== undefined) failures.delete(oldest);
    },
  };
}
