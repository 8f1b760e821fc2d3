import { AppError } from "../app-error.ts";
import { changeItem } from "../changes.ts";
import { findClosed } from "../closed-lab.ts";
import type { Deps } from "../deps.ts";
import { getJobItem } from "../job-record.ts";
import { labSettings } from "../lab-settings.ts";
import { requireAdmin, type Principal } from "../principal.ts";
import { archiveJob } from "./archive-job.ts";
import { readKept } from "./kept-jobs.ts";
import { removeJob } from "./remove-job.ts";

/** Each removes a thousand parts; a job of 10,000 chunks of log is done in one request. */
const MOST_ROUNDS = 10;

/**
 * Removes a finished job for an administrator, with all that belongs to it, as a rule of retention does; to the archive first, where
 * that is set. Throws `not_found`, `conflict` for a job that has not ended, that somebody keeps or that is too large for one request.
 */
export async function deleteJob(deps: Deps, principal: Principal, id: number): Promise<void> {
  const { name: who } = requireAdmin(principal);
  const { data: job } = await getJobItem(deps, id);
  const refuse = (why: string) => new AppError("conflict", `job ${id} ${why}`);
  if (await findClosed(deps)) throw refuse("stays: the lab is closed, nothing is removed in it");
  if (job.state !== "Finished") throw refuse(`is ${job.state}: cancel it first`);
  if (job.taken_back) throw refuse("may still be ended by its worker, which has been silent");
  const { by: keepers } = await readKept(deps, id);
  if (keepers.length > 0) throw refuse(`is kept by ${keepers.join(", ")}`);
  if ((await labSettings(deps)).retention.archive) await archiveJob(deps, job);
  let isDone = false;
  for (let round = 0; round < MOST_ROUNDS && !isDone; round++) {
    isDone = await removeJob(deps, job, { who });
  }
  if (!isDone) throw refuse("has more parts than one request removes: ask once more");
  const changed = { removed: [null, String(id)] } satisfies Record<string, [null, string]>;
  const change = changeItem(deps, { kind: "lab", name: "retention", changed, who });
  await deps.table.transact([{ put: change, when: "absent" }]);
}
