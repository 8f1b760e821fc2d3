import type { JobHealth } from "#protocol/states.ts";
import { NOTICES_PASS } from "./announcing-table.ts";
import { LAB, workerChange } from "./changes.ts";
import { findClosed } from "./closed-lab.ts";
import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import type { DeviceTypeRecord } from "./device-types.ts";
import { doDue, orLater, settleLoaded } from "./due.ts";
import type { GroupRecord } from "./group-record.ts";
import { findJobItem } from "./job-record.ts";
import { textKey, workerKey } from "./keys.ts";
import { hasDueNotices } from "./notices/due-notices.ts";
import { queryAll } from "./query-all.ts";
import { endAttempt } from "./retry-job.ts";
import { retrying } from "./retrying.ts";
import { without } from "./without.ts";
import { readAssignments, workerItem, type WorkerRecord } from "./worker-record.ts";

/** How many device types, devices and workers each tick looks at beside what is due: what it costs, whatever the lab's size. */
const ROUND = 10;

/** How long the rounds rest in the cloud, where each look is paid for. */
const CLOUD_REST_SECONDS = 5 * 60;

/** How long nobody looks for old jobs that could be packed, once there are none. */
const JOBS_REST_MS = 60 * 60 * 1000;
/** The same for what failed submissions left. */
const GAPS_REST_MS = 10 * 60 * 1000;

/** Where the next round begins; a hint only, a process that starts again begins at the front. */
export interface Rounds {
  /** How long a round rests that has come to its end; absent: not at all. */
  restSeconds?: number;
  /** Which rest, and until when, in ms since 1970. */
  resting?: Partial<Record<List | "notices" | "jobs" | "gaps", number>>;
  deviceTypes?: string;
  groups?: string;
  devices?: string;
  workers?: string;
}

/** Those of a process of the cloud: what no event announced waits a few minutes more, and a lab without work costs next to nothing. */
export const cloudRounds = (): Rounds => ({ restSeconds: CLOUD_REST_SECONDS });

/**
 * Sweeps what no event announces: silent workers, leases, and what is due (due.ts): queue time-outs, ends of reservations and windows. Called every minute or more often. It
 * also goes round the device types, devices and workers, a few at a time, in case an event was lost. In a closed lab it does
 * nothing: nobody can be heard of there. `upSince`, in ms: nobody can have been heard of before; a lease begins then at the
 * earliest, as a control plane that was away is not its workers' silence.
 */
export async function tick(deps: Deps, rounds: Rounds = {}, upSince = 0): Promise<void> {
  if (deps.settings.archive || (await findClosed(deps))) return;
  const now = deps.system.now();
  const due = { to: `${new Date(now).toISOString()}~` };
  await doDue(deps);
  for await (const { data } of queryAll<WorkerRecord>(deps, "i2", "attention", due)) {
    const { name } = data;
    await orLater(deps, `worker ${name}`, () => attend(deps, name, { now, upSince }));
  }
  const hasLost = !rests(deps, rounds, "notices");
  if (await hasDueNotices(deps, hasLost)) await deps.signals.requestPass(NOTICES_PASS);
  if (hasLost) rest(deps, rounds, "notices");
  await lookForDueChecks(deps, rounds);
  await goRound<WorkerRecord>(deps, rounds, "workers", async ({ name, attend_at }) => {
    // One that says when to look at it was found above. An older version writes workers that don't.
    if (attend_at === undefined) await attend(deps, name, { now, upSince });
  });
  await goRound<GroupRecord>(deps, rounds, "groups", ({ id }) => settleLoaded(deps, id));
  await goRound<DeviceTypeRecord>(deps, rounds, "deviceTypes", ({ name }) =>
    requestLostPass(deps, name),
  );
  // So that the first who looks through a lab of many old jobs need not wait for it.
  await orLater(deps, "old jobs", () =>
    whileLeft(deps, rounds, { name: "jobs", restMs: JOBS_REST_MS }, async () =>
      (await import("./job-list/pack-old-jobs.ts")).packOldJobs(deps),
    ),
  );
  await orLater(deps, "what failed submissions left", () =>
    whileLeft(deps, rounds, { name: "gaps", restMs: GAPS_REST_MS }, async () =>
      (await import("./retention/sweep-gaps.ts")).sweepGaps(deps),
    ),
  );
}

/** Does some of what is left to do; rests once that says that there is no more. */
async function whileLeft(
  { system }: Deps,
  rounds: Rounds,
  { name, restMs }: { name: "jobs" | "gaps"; restMs: number },
  work: () => Promise<boolean>,
): Promise<void> {
  if (system.now() < (rounds.resting?.[name] ?? 0) || !(await work())) return;
  rounds.resting = { ...rounds.resting, [name]: system.now() + restMs };
}

const ROUND_PARTITION = {
  workers: "workers",
  deviceTypes: "device-types",
  groups: "open-multinode",
  devices: "devices",
} as const;
type List = keyof typeof ROUND_PARTITION;

/**
 * Health checks that are due by their time; in a lab that has any, also those that are for another reason: one may have come
 * to the lab, or a type's rhythm may be another one. Its rules are loaded when there is something to look at.
 */
async function lookForDueChecks(deps: Deps, rounds: Rounds): Promise<void> {
  if (rests(deps, rounds, "devices")) return;
  const one = { limit: 1 };
  const [timed, own] = await Promise.all([
    deps.table.query("i1", "health-due", one),
    deps.table.query("main", textKey("health-check", "").partition, one),
  ]);
  if (timed.items.length === 0 && own.items.length === 0) return rest(deps, rounds, "devices");
  const { lookAtDueChecks, markIfDue } = await import("./health-due.ts");
  await lookAtDueChecks(deps);
  await goRound<DeviceRecord>(deps, rounds, "devices", ({ hostname }) => markIfDue(deps, hostname));
}

async function goRound<T>(
  deps: Deps,
  rounds: Rounds,
  list: List,
  look: (record: T) => Promise<void>,
): Promise<void> {
  if (rests(deps, rounds, list)) return;
  const before = rounds[list];
  const page = await deps.table.query<T>("i1", ROUND_PARTITION[list], {
    limit: ROUND,
    ...(before === undefined ? {} : { cursor: before }),
  });
  if (page.cursor === undefined) delete rounds[list];
  else rounds[list] = page.cursor;
  for (const { data, key } of page.items) {
    await orLater(deps, `${key.partition} ${key.sort}`, () => look(data));
  }
  if (page.cursor === undefined) rest(deps, rounds, list);
}

const rests = ({ system }: Deps, { resting = {} }: Rounds, list: List | "notices"): boolean =>
  system.now() < (resting[list] ?? 0);

function rest({ system }: Deps, rounds: Rounds, list: List | "notices"): void {
  if (rounds.restSeconds === undefined) return;
  rounds.resting = { ...rounds.resting, [list]: system.now() + rounds.restSeconds * 1000 };
}

/** Where a job waits and a device is idle, or a device has to be looked at, nobody may have asked for the pass that brings them together. */
async function requestLostPass(deps: Deps, deviceType: string): Promise<void> {
  const one = { limit: 1 };
  const unchecked = await deps.table.query("i3", `check-devices#${deviceType}`, one);
  if (unchecked.items.length > 0) return deps.signals.requestPass(deviceType);
  const waiting = await deps.table.query("i2", `queue#${deviceType}`, one);
  if (waiting.items.length === 0) return;
  const idle = await deps.table.query("i3", `idle-devices#${deviceType}`, one);
  if (idle.items.length > 0) await deps.signals.requestPass(deviceType);
}

/**
 * Does what a worker's silence asks for, if it is silent, and says when to look again: when it would become silent,
 * then when the lease of its jobs ends, then no more.
 */
async function attend(
  deps: Deps,
  name: string,
  { now, upSince }: { now: number; upSince: number },
): Promise<void> {
  await retrying(async () => {
    const item = await deps.table.get<WorkerRecord>(workerKey(name));
    const { last_sync, silent_after } = item?.data ?? {};
    if (!item || last_sync === undefined || silent_after === undefined) return;
    const isSilent = Date.parse(silent_after) <= now;
    const heardOf = Math.max(Date.parse(last_sync), upSince);
    const leaseEnds = heardOf + deps.settings.jobLeaseSeconds * 1000;
    const isOver = isSilent && leaseEnds <= now;
    if (isOver) await takeBackJobs(deps, name);
    const before = item.data;
    const worker: WorkerRecord = {
      ...without(before, "attend_at"),
      state: isSilent ? "Offline" : before.state,
      ...(isOver ? {} : { attend_at: isSilent ? new Date(leaseEnds).toISOString() : silent_after }),
    };
    if (worker.state === before.state && worker.attend_at === before.attend_at) return;
    await deps.table.transact([
      { put: workerItem(worker), when: { version: item.version } },
      ...workerChange(deps, before, worker, { who: LAB, reason: `silent since ${last_sync}` }),
    ]);
    // The alarms of infra/template.yaml count these.
    if (worker.state !== before.state) deps.system.log("worker offline", { worker: name });
  });
}

/**
 * Ends the jobs of a worker that has been silent past the lease. Their devices stay reserved: for all we know the
 * worker still uses them. Its next sync gives them back, or brings the jobs' true end.
 */
async function takeBackJobs(deps: Deps, worker: string): Promise<void> {
  const { jobIds } = await readAssignments(deps, worker);
  for (const id of jobIds) {
    await retrying(async () => {
      const item = await findJobItem(deps, id);
      if (!item || item.data.state === "Finished" || item.data.left?.worker === worker) return;
      // What its group reserves is given back in a minute.
      if (item.data.state === "Scheduling") return;
      const canceled = item.data.state === "Canceling";
      const health: JobHealth = canceled ? "Canceled" : "Incomplete";
      const minutes = Math.round(deps.settings.jobLeaseSeconds / 60);
      await endAttempt(
        deps,
        item,
        {
          health,
          error_type: canceled ? "Canceled" : "Infrastructure",
          error_msg: `worker ${worker} has been silent for more than ${minutes} minutes`,
        },
        { holdDevice: true },
      );
    });
  }
}
