import type { PlanAnswer, PlanRequest } from "#protocol/plan.ts";

/** Says what a worker of this lab's own version would do for a job. */
export interface Planner {
  /**
   * The plan of a job on a device; nothing is run, fetched or stored. A job that has none is an answer (`problem`), and so is one
   * that takes more than a few seconds or too much memory to plan. May be called at any time, also concurrently.
   */
  plan(request: PlanRequest): Promise<PlanAnswer>;
}
