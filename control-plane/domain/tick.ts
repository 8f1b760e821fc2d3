import type { JobHealth } from "#protocol/states.ts";
import { cancel } from "./cancel.ts";
import type { Deps } from "./deps.ts";
import { deviceTypeNames } from "./device-types.ts";
import { endJob } from "./end-job.ts";
import { findJobItem, type JobRecord } from "./job-record.ts";
import { queryAll } from "./query-all.ts";
import { retrying } from "./retrying.ts";
import { getWorkerItem, readAssignments, workerItem, type WorkerRecord } from "./worker-record.ts";

/**
 * Sweeps what no event announces: silent workers, leases, queue time-outs. Called every minute or more often. It
 * also asks for a scheduling pass of every type, in case an event was lost.
 */
export async function tick(deps: Deps): Promise<void> {
  const now = deps.system.now();
  for await (const { data: worker } of queryAll<WorkerRecord>(deps, "i1", "workers")) {
    if (worker.state === "Online" && isPast(worker.silent_after, now)) {
      await goOffline(deps, worker.name, now);
    }
    const silentSince = worker.last_sync === undefined ? now : Date.parse(worker.last_sync);
    if (now - silentSince >= deps.settings.jobLeaseSeconds * 1000) {
      await takeBackJobs(deps, worker.name);
    }
  }
  await endQueueTimeouts(deps, now);
  for (const deviceType of await deviceTypeNames(deps)) await deps.signals.requestPass(deviceType);
}

async function goOffline(deps: Deps, name: string, now: number): Promise<void> {
  await retrying(async () => {
    const { data, version } = await getWorkerItem(deps, name);
    if (data.state !== "Online" || !isPast(data.silent_after, now)) return;
    const worker: WorkerRecord = { ...data, state: "Offline" };
    await deps.table.transact([{ put: workerItem(worker), when: { version } }]);
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
      if (!item || item.data.state === "Finished") return;
      const canceled = item.data.state === "Canceling";
      const health: JobHealth = canceled ? "Canceled" : "Incomplete";
      const minutes = Math.round(deps.settings.jobLeaseSeconds / 60);
      await endJob(
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

/** Cancels jobs that waited longer than they wanted to (SCHEDULER.md 2.4). */
async function endQueueTimeouts(deps: Deps, now: number): Promise<void> {
  const range = { to: `${new Date(now).toISOString()}~` };
  for await (const { data } of queryAll<JobRecord>(deps, "i3", "queue-deadlines", range)) {
    await retrying(async () => {
      const item = await findJobItem(deps, data.id);
      if (item?.data.state !== "Submitted") return;
      await cancel(deps, item, "the job waited in the queue for longer than its queue time-out");
    });
  }
}

const isPast = (time: string | undefined, now: number): boolean =>
  time !== undefined && Date.parse(time) <= now;
