import {
  MAX_COMMITTED_BODY_BYTES,
  type QueueWait,
  type RunnerReport,
  type SyncRequest,
  type SyncResponse,
  type Ticket,
} from "#protocol/worker-api.ts";
import type { Item, Operation } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { deviceChange, jobChange, LAB, workerChange } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { deviceItem, type DeviceRecord } from "./device-record.ts";
import { endJob, returnDevice } from "./end-job.ts";
import { isWatched } from "./job-log.ts";
import { findJobItem, jobItem, type JobRecord } from "./job-record.ts";
import { jobToken } from "./job-token.ts";
import { consolesOfWorkerKey, deviceKey } from "./keys.ts";
import { tokenKey } from "./people-keys.ts";
import { notePause } from "./note-pause.ts";
import { isServed, protocolNotice } from "./protocol-window.ts";
import { requireWorker, type Principal } from "./principal.ts";
import { leaveWorker } from "./retry-job.ts";
import { retrying } from "./retrying.ts";
import { isStillNewest, reportAfter } from "./sync-report.ts";
import { makeOffer, wantedVersion, type Wanted } from "./upgrade-offer.ts";
import { without } from "./without.ts";
import {
  deviceTypesOfWorker,
  getWorkerItem,
  readAssignments,
  workerItem,
  type WorkerRecord,
} from "./worker-record.ts";

type Runners = ReadonlyMap<number, RunnerReport["state"]>;

/** The answer without its texts, and `due`: jobs for which only a new request can do something. */
interface Plan {
  start: JobRecord[];
  /** Ids of those that are kept back because the worker says that it can't begin any. */
  held?: number[];
  lost: JobRecord[];
  cancel: number[];
  forget: number[];
  watched: number[];
  due: number[];
  /** Ids of console sessions; absent when there is none. */
  consoles?: string[];
  wanted?: Wanted | undefined;
  /** Id of the request that it make itself another token. */
  rotate?: string | undefined;
}

/**
 * A worker's only question (worker-api.ts): what it has to do, given what it runs. What it reports is
 * taken as news first; then the answer is held back while it is the one that the worker has seen, until
 * the worker's bell rings, `wait_seconds` are over or `signal` is aborted. A worker that can wait elsewhere is told
 * where, at once.
 */
export async function sync(
  deps: Deps,
  principal: Principal,
  request: SyncRequest,
  signal?: AbortSignal,
): Promise<SyncResponse> {
  const { name, tokenId } = requireWorker(principal);
  const runners: Runners = new Map(request.runners.map(({ job_id, state }) => [job_id, state]));
  const takesJobs = isServed(request.protocol);
  // Before the look at the table: a ring from now on reaches who waits there.
  const wait = await grantWait(deps, name, request);
  await stopForRollback(deps, name, request);
  // Before what it reports is taken: from now on none of an older report is.
  const heard = await heardOf(deps, name, request, wait?.sync_seconds ?? request.wait_seconds);
  if (!heard.isLate) await takeNews(deps, name, runners, request);
  let { worker } = heard;

  const deadline = deps.system.now() + request.wait_seconds * 1000;
  const listener = deps.signals.listen(`worker/${name}`);
  try {
    for (;;) {
      const plan = await makePlan(deps, name, runners);
      if (!takesJobs) plan.start = [];
      if (request.no_jobs !== undefined) hold(plan);
      plan.wanted = await wantedVersion(deps, worker, request);
      plan.rotate = worker.rotation?.id;
      const seen = digest(deps, plan);
      const left = deadline - deps.system.now();
      const isNews = seen !== request.seen;
      if (wait) return { ...(await answer(deps, plan, seen, request)), wait };
      if (isNews || left <= 0 || !(await listener.rung(left, signal))) {
        return await answer(deps, plan, seen, request);
      }
      await requireValid(deps, tokenId);
      worker = (await getWorkerItem(deps, name)).data;
    }
  } finally {
    listener.close();
  }
}

/** Where the worker can wait for its bell without us, if it knows how and the engine has such a place. */
async function grantWait(
  deps: Deps,
  name: string,
  { waits }: SyncRequest,
): Promise<QueueWait | undefined> {
  if (!waits?.includes("queue")) return undefined;
  const grant = await deps.signals.grantWait(`worker/${name}`);
  return (
    grant && {
      kind: "queue",
      url: grant.url,
      hold_seconds: grant.holdSeconds,
      expires_seconds: grant.expiresInSeconds,
      sync_seconds: deps.settings.idleSyncSeconds,
    }
  );
}

/** A token that was revoked while its request waited gets nothing any more. */
async function requireValid(deps: Deps, tokenId: string): Promise<void> {
  if (await deps.table.get(tokenKey(tokenId))) return;
  throw new AppError("unauthenticated", "the worker's token was revoked");
}

/** Being heard of makes a worker Online, unless it speaks another version of the protocol (SCHEDULER.md 1.3). */
async function heardOf(
  deps: Deps,
  name: string,
  request: SyncRequest,
  quietSeconds: number,
): Promise<{ worker: WorkerRecord; isLate: boolean }> {
  const { version, protocol, platform, by_hand, upgrade, no_jobs } = request;
  const { worker, isReady, isLate } = await retrying(async () => {
    const item = await getWorkerItem(deps, name);
    const report = reportAfter(item.data, request);
    if (report === "late") return { worker: item.data, isReady: false, isLate: true };
    const now = deps.system.now();
    const silentAfter = now + (quietSeconds + deps.settings.workerSilentSeconds) * 1000;
    const silent_after = new Date(silentAfter).toISOString();
    const worker: WorkerRecord = {
      ...without(item.data, "kind", "platform", "by_hand", "upgrade", "no_jobs", "report"),
      state: isServed(protocol) ? "Online" : "Offline",
      version,
      protocol,
      ...(platform === undefined ? {} : { platform }),
      ...(by_hand === undefined ? {} : { by_hand }),
      ...(upgrade === undefined ? {} : { upgrade }),
      ...(no_jobs === undefined ? {} : { no_jobs }),
      ...(report && { report }),
      last_sync: new Date(now).toISOString(),
      silent_after,
      attend_at: attendAt(item.data.attend_at, now + quietSeconds * 1000, silent_after),
    };
    await deps.table.transact([
      { put: workerItem(worker), when: { version: item.version } },
      ...workerChange(deps, item.data, worker, { who: LAB }),
    ]);
    const isReady = takesNewJobs(worker) && !takesNewJobs(item.data);
    return { worker, isReady, isLate: false };
  });
  const types = isReady ? await deviceTypesOfWorker(deps, name) : [];
  for (const type of types) await deps.signals.requestPass(type);
  return { worker, isLate };
}

const takesNewJobs = ({ state, no_jobs }: WorkerRecord): boolean =>
  state === "Online" && no_jobs === undefined;

/** Before it is noted, so that it is not lost with us in between. */
async function stopForRollback(deps: Deps, name: string, { upgrade }: SyncRequest): Promise<void> {
  if (upgrade?.state !== "rolled_back") return;
  // Once: whoever goes on with the roll-out all the same knows of this worker.
  const known = (await getWorkerItem(deps, name)).data.upgrade;
  if (known?.state === "rolled_back" && known.id === upgrade.id) return;
  const { stopFailedRollout } = await import("./rollout.ts");
  await stopFailedRollout(deps, name, upgrade.id, upgrade.reason ?? "it gave no reason");
}

/**
 * When the tick looks at the worker: kept while the next sync comes before it, because an index entry that moves with
 * every sync costs more than the sync.
 */
export function attendAt(
  planned: string | undefined,
  nextSync: number,
  silentAfter: string,
): string {
  const isGood = planned !== undefined && Date.parse(planned) > nextSync && planned <= silentAfter;
  return isGood ? planned : silentAfter;
}

/** What the worker's report changes. Only a fresh report may: one that has waited may be out of date. */
async function takeNews(
  deps: Deps,
  name: string,
  runners: Runners,
  request: SyncRequest,
): Promise<void> {
  const { jobIds } = await readAssignments(deps, name);
  for (const id of jobIds) {
    await retrying(async () => {
      const item = await findJobItem(deps, id);
      if (!item) return;
      const { state, taken_back } = item.data;
      const isReported = runners.has(id);
      // After the look at the job: what a newer report has changed since then is in the way.
      if (!(await isStillNewest(deps, name, request))) return;
      if (item.data.left?.worker === name) {
        // What it reports is its runner of the attempt before.
        if (!isReported) await leaveWorker(deps, item);
        return;
      }
      if (state === "Scheduled" && isReported) await startRunning(deps, item);
      if (state === "Running") await notePause(deps, item, request.runners);
      if (state === "Canceling" && !isReported) await endJob(deps, item, { health: "Canceled" });
      if (state === "Finished" && taken_back && !isReported) await returnDevice(deps, item);
    });
  }
}

/** Its runner has begun. Throws `TableConflict`. */
export async function startRunning(deps: Deps, { data, version }: Item<JobRecord>): Promise<void> {
  const start_time = new Date(deps.system.now()).toISOString();
  const job: JobRecord = { ...without(data, "waits_for_person"), state: "Running", start_time };
  const device = await deps.table.get<DeviceRecord>(deviceKey(job.device ?? ""));
  await deps.table.transact([
    { put: jobItem(job), when: { version } },
    ...jobChange(deps, data, job, { who: LAB }),
    ...(device?.data.current_job === job.id ? startUsing(deps, device, job) : []),
  ]);
  await deps.signals.ring(`job/${job.id}`);
}

function startUsing(
  deps: Deps,
  { data, version }: Item<DeviceRecord>,
  { health_check }: JobRecord,
): Operation[] {
  const { checked } = data;
  const running: DeviceRecord = {
    ...data,
    state: "Running",
    ...(checked && !health_check ? { checked: { ...checked, jobs: checked.jobs + 1 } } : {}),
  };
  return [
    { put: deviceItem(running), when: { version } },
    ...deviceChange(deps, data, running, { who: LAB, reason: `job ${data.current_job}` }),
  ];
}

async function makePlan(deps: Deps, name: string, runners: Runners): Promise<Plan> {
  const plan: Plan = { start: [], lost: [], cancel: [], forget: [], watched: [], due: [] };
  const [{ jobIds }, consoles] = await Promise.all([
    readAssignments(deps, name),
    deps.table.get<{ ids: string[] }>(consolesOfWorkerKey(name)),
  ]);
  if (consoles && consoles.data.ids.length > 0) {
    plan.consoles = await (await import("./console-relay.ts")).openConsolesOf(deps, name);
  }
  for (const id of jobIds) {
    const job = (await findJobItem(deps, id))?.data;
    const runner = runners.get(id);
    if (job?.left?.worker === name) {
      if (runner) (runner === "running" ? plan.cancel : plan.forget).push(id);
      else plan.due.push(id);
      continue;
    }
    if (job?.state === "Scheduled" && !runner) plan.start.push(job);
    if (job?.state === "Running" && !runner) plan.lost.push(job);
    if (job?.state === "Running" && runner && (await isWatched(deps, id))) plan.watched.push(id);
    if (job?.state === "Canceling" || job?.state === "Finished") {
      if (runner === "running" && !mayEnd(job)) plan.cancel.push(id);
      if (!runner) plan.due.push(id);
    }
  }
  for (const [id, state] of runners) {
    if (!jobIds.includes(id)) (state === "running" ? plan.cancel : plan.forget).push(id);
  }
  return plan;
}

/** The worker hears who still waits: for a job that is gone it needs no room. */
function hold(plan: Plan): void {
  plan.held = plan.start.map(({ id }) => id);
  plan.start = [];
}

/** What was taken back from a silent worker runs on there: its true end replaces the assumed one. */
const mayEnd = ({ taken_back, health }: JobRecord): boolean =>
  taken_back === true && health !== "Canceled";

function digest(deps: Deps, { start, lost, ...ids }: Plan): string {
  const idsOf = (jobs: JobRecord[]) => jobs.map(({ id }) => id);
  const text = JSON.stringify({ start: idsOf(start), lost: idsOf(lost), ...ids });
  return deps.system.hash(text).slice(0, 32);
}

async function answer(
  deps: Deps,
  plan: Plan,
  seen: string,
  { platform, protocol, version }: SyncRequest,
): Promise<SyncResponse> {
  const { held, cancel, forget, watched, wanted, rotate } = plan;
  const upgrade = wanted && (await makeOffer(deps, wanted, platform));
  const notice = protocolNotice(protocol, version);
  return {
    start: plan.start.length === 0 ? [] : await makeTickets(deps, plan.start),
    ...(held === undefined ? {} : { held }),
    lost: await describeLost(deps, plan.lost),
    cancel,
    forget,
    watched,
    ...(plan.consoles ? { consoles: await describeConsoles(deps, plan.consoles) } : {}),
    seen,
    ...(upgrade === undefined ? {} : { upgrade }),
    ...(rotate === undefined ? {} : { rotate }),
    ...(notice === undefined ? {} : { notice }),
    log_body_bytes: MAX_COMMITTED_BODY_BYTES,
  };
}

/** With their tickets, as far as those can be made: their devices are to be switched off. */
async function describeLost(deps: Deps, jobs: readonly JobRecord[]): Promise<SyncResponse["lost"]> {
  const tickets = jobs.length === 0 ? [] : await makeTickets(deps, jobs);
  return jobs.map((job) => {
    const ticket = tickets.find(({ job_id }) => job_id === job.id);
    return { job_id: job.id, token: jobToken(deps, job), ...(ticket ? { ticket } : {}) };
  });
}

const describeConsoles = async (deps: Deps, ids: readonly string[]) =>
  (await import("./console-relay.ts")).consoleTickets(deps, ids);

/** Loaded when there is one: a function that starts for an idle worker's sync never renders a device. */
async function makeTickets(deps: Deps, jobs: readonly JobRecord[]): Promise<Ticket[]> {
  const { makeTicket } = await import("./ticket.ts");
  const tickets = await Promise.all(jobs.map((job) => makeTicket(deps, job)));
  return tickets.filter((ticket) => ticket !== undefined);
}
