import type { JobView } from "#protocol/api.ts";
import type { PatchJob } from "#protocol/history.ts";
import { priorityNumber } from "#protocol/job-definition.ts";
import { AppError } from "./app-error.ts";
import { editChange } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { endJob } from "./end-job.ts";
import { getJobItem, jobItem, jobView, type JobRecord } from "./job-record.ts";
import { requireAdmin, requireUser, type Principal } from "./principal.ts";
import { retrying } from "./retrying.ts";
import { getChangeableJob, viewFor } from "./visible.ts";
import { getWorkerItem } from "./worker-record.ts";

/**
 * Changes the priority of a job that waits (SCHEDULER.md 2.2). Throws `not_found`, `forbidden`, `conflict` for one that waits no
 * more or is part of a group, whose members go together.
 */
export async function setPriority(
  deps: Deps,
  principal: Principal,
  id: number,
  { priority }: PatchJob,
): Promise<JobView> {
  const user = requireUser(principal);
  return retrying(async () => {
    const { data, version } = await getChangeableJob(deps, user, id, "given another priority");
    if (data.state !== "Submitted") {
      throw new AppError("conflict", `job ${id} is ${data.state}: its priority counts no more`);
    }
    if (data.group !== undefined) {
      throw new AppError("conflict", `job ${id} is part of a group, whose members go together`);
    }
    const job: JobRecord = { ...data, priority: priorityNumber(priority) };
    const change = [
      { priority: String(data.priority) },
      { priority: String(job.priority) },
    ] as const;
    await deps.table.transact([
      { put: jobItem(job), when: { version } },
      ...editChange(deps, "job", String(id), change, { who: user.name }),
    ]);
    await deps.signals.requestPass(job.device_type);
    return viewFor(deps, user, job);
  });
}

/**
 * Ends a job that is Canceling and whose worker does not stop it (SCHEDULER.md 1.1): it is Canceled. Its device is free when the
 * worker lets go of it, at once when the worker is Offline; then nobody has switched it off and its health becomes Unknown.
 * Throws `not_found`, `forbidden`, `conflict` for a job in another state.
 */
export async function failJob(
  deps: Deps,
  principal: Principal,
  id: number,
  { reason }: { reason?: string | undefined } = {},
): Promise<JobView> {
  const user = requireAdmin(principal);
  return retrying(async () => {
    const item = await getJobItem(deps, id);
    const { state, worker: name } = item.data;
    if (state !== "Canceling") {
      throw new AppError("conflict", `job ${id} is ${state}, not Canceling: cancel it first`);
    }
    const worker = name === undefined ? undefined : (await getWorkerItem(deps, name)).data;
    const isOnline = worker?.state === "Online";
    const why = reason === undefined ? "" : `: ${reason}`;
    const error_msg = `${user.name} ended the job, which worker ${name} did not stop${why}`;
    const error_type = isOnline ? "Canceled" : "Infrastructure";
    const outcome = { health: "Canceled", error_type, error_msg, isAssumed: true } as const;
    const by = { who: user.name, reason };
    return jobView(await endJob(deps, item, outcome, { holdDevice: isOnline, by }));
  });
}
