import type { PlannedAction } from "./plan.ts";
import { JobFailure } from "./job-failure.ts";
import { consoleSlot, promptsSlot } from "./job-slots.ts";
import type { Slot } from "./slot.ts";

/** What belongs to a connection is kept by the namespace whose connection is used. */
const OF_CONNECTION = new Set<Slot<unknown>>([consoleSlot, promptsSlot]);

/**
 * Proves, before any hardware is touched, that each slot an action needs was given earlier in its
 * namespace.
 *
 * @throws JobFailure Job that names the action and the slot.
 */
export function checkPlan(
  actions: readonly PlannedAction[],
  given = new Map<string, Set<Slot<unknown>>>(),
): void {
  const of = (namespace: string): Set<Slot<unknown>> => {
    const known = given.get(namespace) ?? new Set();
    given.set(namespace, known);
    return known;
  };
  for (const { action, namespace, connectionNamespace, level, steps } of actions) {
    const keeper = (slot: Slot<unknown>): Set<Slot<unknown>> =>
      of(OF_CONNECTION.has(slot) ? connectionNamespace : namespace);
    for (const need of action.needs ?? []) {
      if (keeper(need).has(need)) continue;
      const message = `${level} ${action.name} needs ${need.name}, which no earlier action gives`;
      throw new JobFailure("Job", message);
    }
    // A parent's own work comes before its steps, what it gathers from them after.
    const give = (): void => action.gives?.forEach((slot) => keeper(slot).add(slot));
    if (action.run) give();
    checkPlan(steps, given);
    give();
  }
}
