import type { PlannedAction } from "./plan.ts";

/**
 * A plan as text, an action a line: level, indented name, strategy at the top level, tries when more
 * than one, seconds. The columns are those of the reference plans.
 */
export function describePlan(actions: readonly PlannedAction[]): string {
  return actions.flatMap((action) => linesOf(action, 0)).join("\n");
}

/** A plan for programs: an action a line, as JSON. */
export function planLines(actions: readonly PlannedAction[]): string {
  const flat = (planned: PlannedAction): PlannedAction[] => [
    planned,
    ...planned.steps.flatMap(flat),
  ];
  return actions
    .flatMap(flat)
    .map(({ level, action: { name }, attempts, timeoutSeconds }) =>
      JSON.stringify({ level, name, attempts, timeout_seconds: timeoutSeconds }),
    )
    .join("\n");
}

function linesOf(planned: PlannedAction, depth: number): string[] {
  const { level, action, strategy, attempts, timeoutSeconds, steps } = planned;
  const parts = [
    `${level}\t${"  ".repeat(depth)}${action.name}`,
    ...(strategy ? [`[${strategy}]`] : []),
    ...(attempts > 1 ? [`retries=${attempts}`] : []),
    `${timeoutSeconds}s`,
  ];
  return [parts.join("  "), ...steps.flatMap((step) => linesOf(step, depth + 1))];
}
