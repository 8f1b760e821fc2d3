import type { PlannedAction } from "./plan.ts";
import { JobFailure } from "./job-failure.ts";
import type { Slot } from "./slot.ts";

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
  for (const { action, namespace, level, steps } of actions) {
    const here = given.get(namespace) ?? new Set();
    given.set(namespace, here);
    for (const need of action.needs ?? []) {
      if (here.has(need)) continue;
      const message = `${level} ${action.name} needs ${need.name}, which no earlier action gives`;
      throw new JobFailure("Job", message);
    }
    // A parent's own work comes before its steps, what it gathers from them after.
    const give = (): void => action.gives?.forEach((slot) => here.add(slot));
    if (action.run) give();
    checkPlan(steps, given);
    give();
  }
}
