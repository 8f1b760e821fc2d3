import type { FinishRequest } from "#protocol/worker-api.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import type { Ending, Outcome } from "./end-job.ts";
import type { JobRecord } from "./job-record.ts";
import { getReportedItem } from "./job-token.ts";
import type { Principal } from "./principal.ts";
import { endAttempt } from "./retry-job.ts";
import { retrying } from "./retrying.ts";

/**
 * A worker says that a job has ended (SCHEDULER.md 1.1, 1.2). Throws `conflict` with the next line until the whole
 * log is committed. Saying it again changes nothing; for a job that was taken back meanwhile, it is
 * the true end and replaces the assumed one.
 */
export async function finishJob(
  deps: Deps,
  principal: Principal,
  id: number,
  request: FinishRequest,
): Promise<void> {
  await retrying(async () => {
    const item = await getReportedItem(deps, principal, id);
    const { data: job } = item;
    if (job.state === "Finished" && !job.taken_back) {
      // Whoever says it again got no answer: what freed the device may have ended before it asked for a pass.
      return deps.signals.requestPass(job.device_type);
    }
    if (request.lines !== job.log_lines) {
      throw new AppError(
        "conflict",
        `the log has ${request.lines} lines, of which ${job.log_lines} have arrived`,
        { nextLine: job.log_lines },
      );
    }
    await endAttempt(deps, item, outcomeOf(job, request));
  });
}

function outcomeOf(job: JobRecord, request: FinishRequest): Outcome {
  const { result, error_type, error_msg } = request;
  const ending = endingOf(request);
  // The worker was told to stop what had been taken back: that is not how the job ended.
  if (job.taken_back && error_type === "Canceled") {
    return { health: job.health, error_type: job.error_type, error_msg: job.error_msg };
  }
  const canceled = job.state === "Canceling" || (job.taken_back && job.health === "Canceled");
  if (canceled) return { health: "Canceled", error_type, error_msg, ending };
  if (result === "pass") return { health: "Complete", ending };
  return { health: "Incomplete", error_type: error_type ?? "Bug", error_msg, ending };
}

const endingOf = ({ evidence, retries, passed_on_retry }: FinishRequest): Ending => ({
  ...(evidence === undefined ? {} : { evidence }),
  ...(retries === undefined ? {} : { retries }),
  ...(passed_on_retry === undefined ? {} : { passed_on_retry }),
});
