import { LAB, workerChange } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { endJob } from "./end-job.ts";
import { attemptOf, findJobItem, type JobRecord } from "./job-record.ts";
import { jobToken } from "./job-token.ts";
import { attemptKey } from "./keys.ts";
import { labSettings } from "./lab-settings.ts";
import { requireWorker, type Principal } from "./principal.ts";
import { leaveWorker } from "./retry-job.ts";
import { retrying } from "./retrying.ts";
import { attendAt } from "./sync.ts";
import { without } from "./without.ts";
import {
  deviceTypesOfWorker,
  getWorkerItem,
  isSchedulable,
  readAssignments,
  workerItem,
  type WorkerRecord,
} from "./worker-record.ts";

/** A job as a stock worker is told of it. */
export interface StockJob {
  id: number;
  token: string;
}

/** What a stock worker has to do (API.md 1.1): the same answer until a job's state changes. */
export interface StockPlan {
  cancel: StockJob[];
  running: StockJob[];
  start: StockJob[];
}

/** A worker silent for so many of its pings is Offline (API.md 0). */
const MISSED_PINGS = 3;

/**
 * LAVA's own worker asks what it has to do, which is a sign of life. Of a version that the lab does not serve it is Offline and
 * told of no new jobs; `served` says so (SCHEDULER.md 3).
 */
export async function stockPing(
  deps: Deps,
  principal: Principal,
  version: string,
): Promise<{ plan: StockPlan; served: boolean; versions: readonly string[] }> {
  const { name } = requireWorker(principal);
  const { versions, ping_seconds } = (await labSettings(deps)).stock_workers;
  const served = versions.some((rule) => fits(version, rule));
  await heardOf(deps, name, { version, served, pingSeconds: ping_seconds });
  const plan = await makePlan(deps, name);
  if (!served) plan.start = [];
  return { plan, served, versions };
}

/** Whether a version is of a rule: it itself, or its beginning before `*`. */
const fits = (version: string, rule: string): boolean =>
  rule.endsWith("*") ? version.startsWith(rule.slice(0, -1)) : version === rule;

async function heardOf(
  deps: Deps,
  name: string,
  { version, served, pingSeconds }: { version: string; served: boolean; pingSeconds: number },
): Promise<void> {
  const isReady = await retrying(async () => {
    const { data: before, version: read } = await getWorkerItem(deps, name);
    const now = deps.system.now();
    const next = now + pingSeconds * 1000;
    const silent_after = new Date(now + MISSED_PINGS * pingSeconds * 1000).toISOString();
    const refusal = `lava-worker ${version} is none of the versions in the setting stock_workers`;
    const worker: WorkerRecord = {
      // What only our own workers have.
      ...without(before, "protocol", "platform", "by_hand", "upgrade", "report", "no_jobs"),
      kind: "stock",
      state: served ? "Online" : "Offline",
      version,
      ...(served ? {} : { no_jobs: refusal }),
      last_sync: new Date(now).toISOString(),
      silent_after,
      attend_at: attendAt(before.attend_at, next, silent_after),
    };
    const by = { who: LAB, ...(served ? {} : { reason: refusal }) };
    await deps.table.transact([
      { put: workerItem(worker), when: { version: read } },
      ...workerChange(deps, before, worker, by),
    ]);
    return isSchedulable(worker) && !isSchedulable(before);
  });
  if (!isReady) return;
  for (const type of await deviceTypesOfWorker(deps, name)) await deps.signals.requestPass(type);
}

async function makePlan(deps: Deps, name: string): Promise<StockPlan> {
  const plan: StockPlan = { cancel: [], running: [], start: [] };
  for (const id of (await readAssignments(deps, name)).jobIds) {
    const job = await settled(deps, name, id);
    const list = job && listOf(job, name);
    if (!list) continue;
    const token = await tokenAt(deps, job, name);
    if (token !== undefined) plan[list].push({ id, token });
  }
  return plan;
}

/**
 * The job, after what can be decided without the worker: one that is not wanted any more before the worker has fetched it ends
 * here. A stock worker that is told to cancel what it does not know reports it as a bug of the lab.
 */
async function settled(deps: Deps, name: string, id: number): Promise<JobRecord | undefined> {
  return retrying(async () => {
    const item = await findJobItem(deps, id);
    if (!item) return undefined;
    const { data: job } = item;
    if (job.left?.worker === name) {
      if ((await tokenAt(deps, job, name)) === undefined) await leaveWorker(deps, item);
      return job;
    }
    if (job.start_time !== undefined || job.state !== "Canceling") return job;
    return endJob(deps, item, { health: "Canceled", error_type: "Canceled" });
  });
}

/** Under which word a job stands in the answer. */
function listOf(job: JobRecord, worker: string): keyof StockPlan | undefined {
  if (job.left?.worker === worker) return "cancel";
  if (job.state === "Scheduled") return "start";
  if (job.state === "Running") return "running";
  if (job.state === "Canceling") return "cancel";
  // Taken back from a silent worker: it may still bring the true end (a runner that it has lost, it asks for: stock-jobs.ts).
  if (!job.taken_back) return undefined;
  return job.health === "Canceled" ? "cancel" : "running";
}

/** The token that this worker knows the job by: that of the attempt before when it is about that one. */
async function tokenAt(deps: Deps, job: JobRecord, worker: string): Promise<string | undefined> {
  if (job.left?.worker !== worker) return job.token_nonce && jobToken(deps, job);
  const key = attemptKey(job.id, attemptOf(job) - 1);
  const attempt = (await deps.table.get<JobRecord>(key))?.data;
  return attempt?.token_nonce && jobToken(deps, attempt);
}
