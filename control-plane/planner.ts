import type { Planner } from "./ports/planner.ts";

/** Plans by the worker's own code, which is loaded when the first plan is asked for. */
export const planner: Planner = {
  plan: async (request) => (await import("./plan-process.ts")).planInProcess(request),
};
