import { MAX_OPERATIONS, type Operation } from "../ports/table.ts";

/** How many operations are written in one transaction; a multinode group that needs more is written, and begins, in parts. */
export const MOST_AT_ONCE: number = MAX_OPERATIONS;

/** How long somebody is at a group at most; a crash has kept whoever takes longer from it (GroupPhase). */
export const PHASE_MS: number = 60_000;

/** How many of some lists of operations, from the first, have place in one transaction beside others. */
export function howManyFit(lists: readonly (readonly Operation[])[], beside: number): number {
  let left = MOST_AT_ONCE - beside;
  const first = lists.findIndex((list) => (left -= list.length) < 0);
  return first === -1 ? lists.length : first;
}
