import type { PlanAnswer, PlannedStep, PlanRequest } from "#protocol/plan.ts";
import { readTicket } from "./job-context.ts";
import type { JobContext } from "./pipeline/action.ts";
import { JobFailure } from "./pipeline/job-failure.ts";
import type { PlannedAction } from "./pipeline/plan.ts";
import { plan } from "./run-ticket.ts";

/** A plan is to be read by people; what is longer is an attack or a mistake. */
const MAX_STEPS = 5000;
/** Blocks times test definitions: each deploy of a namespace has its tests. */
const MAX_WORK = 50_000;

// In the process of control-plane/plan-process.ts, which is gone when nobody listens any more.
process.on("message", (request: PlanRequest) => process.send?.(planRequest(request)));
process.send?.("loaded");

/** The plan of a job that some control plane asks for, as data. Touches nothing and never throws. */
function planRequest(request: PlanRequest): PlanAnswer {
  try {
    const ticket = { job_id: 0, token: "", dispatcher: "", env_dut: "", ...request };
    const job = readTicket(ticket, "/nonexistent");
    if (workOf(job) > MAX_WORK) return { problem: "the job is too large for its plan to be made" };
    const actions = plan(job);
    const count = actions.reduce((sum, action) => sum + countOf(action), 0);
    if (count > MAX_STEPS) return { problem: `the plan has ${count} steps: too many to be shown` };
    return { steps: actions.map(stepOf) };
  } catch (error) {
    return { problem: JobFailure.from(error).message };
  }
}

function workOf({ definition: { actions } }: JobContext): number {
  const tests = actions.reduce((sum, { test }) => sum + (test?.definitions?.length ?? 0), 0);
  return actions.length * (actions.length + tests);
}

const countOf = ({ steps }: PlannedAction): number =>
  steps.reduce((sum, step) => sum + countOf(step), 1);

function stepOf(planned: PlannedAction): PlannedStep {
  const { level, action, strategy, namespace, attempts, timeoutSeconds, steps } = planned;
  return {
    level,
    name: action.name,
    ...(strategy === undefined ? {} : { strategy }),
    ...(strategy === undefined || namespace === "common" ? {} : { namespace }),
    ...(attempts > 1 ? { attempts } : {}),
    timeout_seconds: timeoutSeconds,
    ...(steps.length > 0 ? { steps: steps.map(stepOf) } : {}),
  };
}
