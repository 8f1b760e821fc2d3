import type { FinishRequest } from "#protocol/worker-api.ts";
import { readJsonFile } from "../host/atomic-file.ts";
import { runnerResultSchema, type RunnerResult } from "../host/runner-result.ts";
import type { AgentDeps } from "./agent-deps.ts";
import { Backoff, isAboutJob } from "./backoff.ts";
import type { Bell } from "./bell.ts";
import { check } from "./check.ts";
import { expectedLine, type JobAccess } from "./control-plane.ts";

/** As the protocol bounds it. */
const MAX_MESSAGE_CHARS = 4096;

/**
 * Tells the control plane that the job has ended, until it says that it knows. False when it lacks lines
 * of the log or `signal` is aborted.
 * A ring of `retry` cuts the delay after a failure short; whoever aborts rings it.
 */
export async function finishJob(
  deps: AgentDeps,
  job: JobAccess,
  request: FinishRequest,
  retry: Bell,
  signal: AbortSignal,
): Promise<boolean> {
  const backoff = new Backoff(deps.clock);
  let lastMessage = "";
  while (!signal.aborted) {
    try {
      await deps.controlPlane.finish(job, request, signal);
      return true;
    } catch (error) {
      if (signal.aborted || expectedLine(error) !== undefined) return false;
      const message = error instanceof Error ? error.message : String(error);
      if (message !== lastMessage)
        deps.log(`job ${job.id}: its end cannot be reported: ${message}`);
      lastMessage = message;
      if (isAboutJob(error)) deps.changed();
      await retry.wait(deps.clock, backoff.next(error));
    }
  }
  return false;
}

/** What `result.json` says, as the control plane takes it. `lines`: all that were shipped. */
export function finishRequest(resultFile: string, lines: number): FinishRequest {
  let outcome: RunnerResult;
  try {
    outcome = check(runnerResultSchema, readJsonFile(resultFile), "the runner's result file");
  } catch (error) {
    outcome = { result: "fail", error_type: "Bug", error_msg: (error as Error).message, lines };
  }
  const { error_type, error_msg, ...rest } = outcome;
  return {
    ...rest,
    ...(error_type === undefined ? {} : { error_type }),
    ...(error_msg === undefined ? {} : { error_msg: error_msg.slice(0, MAX_MESSAGE_CHARS) }),
    lines,
  };
}
