import type { PlannedStep } from "#protocol/plan.ts";

/** The steps of a plan as rows, each before those that it is made of. */
export const rowsOf = (steps: readonly PlannedStep[]): PlannedStep[] =>
  steps.flatMap((step) => [step, ...rowsOf(step.steps ?? [])]);

/** How far a step is set in. */
export const depthClass = ({ level }: PlannedStep): string =>
  `depth${Math.min(level.split(".").length, 5)}`;
