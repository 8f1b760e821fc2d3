import { ERROR_TYPES, type ErrorType } from "#protocol/failure.ts";
import type { Ticket } from "#protocol/worker-api.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { returnDevice } from "./end-job.ts";
import { finishJob } from "./finish-job.ts";
import { attemptOf, findJobItem, jobItem, withNotes, type JobRecord } from "./job-record.ts";
import { getReportedItem, isTokenOf } from "./job-token.ts";
import { attemptKey } from "./keys.ts";
import { stockPlanBlob } from "./blob-names.ts";
import { lastResults } from "./stock-log.ts";
import type { Principal } from "./principal.ts";
import { secretsMask } from "./stock-secrets.ts";
import { endAttempt, leaveWorker } from "./retry-job.ts";
import { retrying } from "./retrying.ts";
import { startRunning } from "./sync.ts";
import { makeTicket } from "./ticket.ts";

/** Who reports of a job: its worker, or one that reports of an attempt which another one followed. */
export type StockCaller = { principal: Principal } | "attempt before";

/** Undefined for a job that is not there; "wrong" for any other token than the job's. */
export async function stockCaller(
  deps: Deps,
  id: number,
  token: string,
): Promise<StockCaller | "wrong" | undefined> {
  const job = (await findJobItem(deps, id))?.data;
  if (!job) return undefined;
  const attempt = attemptOf(job);
  if (isTokenOf(deps, job, token)) return { principal: { kind: "job", jobId: id, attempt } };
  if (attempt === 1) return "wrong";
  const before = (await deps.table.get<JobRecord>(attemptKey(id, attempt - 1)))?.data;
  return before && isTokenOf(deps, before, token) ? "attempt before" : "wrong";
}

/**
 * A stock worker fetches a job to begin it (API.md 1.3), which is Running from then on. Fetched again before anything of it was
 * heard, it is given again. A worker that fetches what it has begun has lost it, and would begin anew with a log that is not
 * the job's: that job ends as one of our own workers' does whose runner is lost. Throws `not_found` for whatever is not to begin.
 */
export async function stockTicket(deps: Deps, principal: Principal, id: number): Promise<Ticket> {
  const ticket = await retrying(async () => {
    const item = await getReportedItem(deps, principal, id);
    const { data: job } = item;
    if (job.state === "Scheduled") {
      const made = await makeTicket(deps, job);
      if (made) await startRunning(deps, item);
      return made;
    }
    if (job.state === "Running" && job.log_lines === 0) return makeTicket(deps, job);
    if (job.state === "Running") {
      await endAttempt(deps, item, {
        health: "Incomplete",
        error_type: "Infrastructure",
        error_msg: `worker ${job.worker} has lost the job: it wanted to begin it again`,
      });
      await leftAlready(deps, id, job.worker);
    }
    if (job.state === "Finished" && job.taken_back) await returnDevice(deps, item);
    return undefined;
  });
  if (ticket) return ticket;
  throw new AppError("not_found", `job ${id} is not to be begun`);
}

/** Its runner has begun. Again, or later, does nothing. */
export async function stockRunning(deps: Deps, principal: Principal, id: number): Promise<void> {
  await retrying(async () => {
    const item = await getReportedItem(deps, principal, id);
    if (item.data.state === "Scheduled") await startRunning(deps, item);
  });
}

/** How a stock worker's runner ended (API.md 1.5). */
export interface StockEnd {
  result: "pass" | "fail";
  /** A word of LAVA's, or "". */
  error_type: string;
  /** What the runner printed that is not in its log. */
  errors: string;
  /** Its plan, YAML; may be empty. */
  description: string;
}

const MAX_ERRORS = 2000;
const MAX_PLAN_CHARS = 1024 * 1024;

/** Ends a job as its runner says. Again does nothing. */
export async function stockFinish(
  deps: Deps,
  principal: Principal,
  id: number,
  { result, error_type, errors, description }: StockEnd,
): Promise<void> {
  const { data: job } = await getReportedItem(deps, principal, id);
  if (job.state === "Finished" && !job.taken_back) return;
  const mask = await secretsMask(deps, job);
  if (description !== "" && description.length <= MAX_PLAN_CHARS) {
    await deps.blobs.put(stockPlanBlob(id), new TextEncoder().encode(mask.text(description)));
  }
  if (errors.trim() !== "")
    await addNote(deps, principal, id, `lava-run: ${mask.text(errors.trim())}`);
  const type = typeOf(job, error_type);
  const told = (await lastResults(deps, job)).findLast(
    ({ msg }) => msg["definition"] === "lava" && msg["case"] === "job",
  )?.msg["error_msg"];
  const error_msg = typeof told === "string" ? told.slice(0, 4096) : undefined;
  await finishJob(deps, principal, id, {
    result,
    ...(type ? { error_type: type } : {}),
    ...(error_msg === undefined ? {} : { error_msg }),
    lines: job.log_lines,
  });
  await leftAlready(deps, id, job.worker);
}

/** A job that somebody canceled before its runner had begun is no bug (SCHEDULER.md 3: there it makes the device Unknown). */
function typeOf(job: JobRecord, word: string): ErrorType | undefined {
  const type = ERROR_TYPES.find((one) => one === word);
  if (job.state === "Canceling" && job.log_lines === 0) return "Canceled";
  return type ?? (word === "" ? undefined : "Bug");
}

/** The worker has nothing of the attempt before any more. */
export async function leftAlready(
  deps: Deps,
  id: number,
  worker: string | undefined,
): Promise<void> {
  await retrying(async () => {
    const item = await findJobItem(deps, id);
    const left = item?.data.left;
    if (item && left && (worker === undefined || left.worker === worker)) {
      await leaveWorker(deps, item);
    }
  });
}

async function addNote(deps: Deps, principal: Principal, id: number, note: string): Promise<void> {
  await retrying(async () => {
    const { data: job, version } = await getReportedItem(deps, principal, id);
    const text = note.length <= MAX_ERRORS ? note : `${note.slice(0, MAX_ERRORS)} ...`;
    if (job.notes?.includes(text)) return;
    await deps.table.transact([{ put: jobItem(withNotes(job, [text])), when: { version } }]);
  });
}
