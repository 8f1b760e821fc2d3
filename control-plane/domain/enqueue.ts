import { MAX_OPERATIONS, TableConflict, type Operation } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { jobChange } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { jobItem, type JobRecord } from "./job-record.ts";
import { labSettings } from "./lab-settings.ts";
import type { User } from "./principal.ts";
import { limitsOf, limitText, takeSlots } from "./quotas.ts";

/** How often slots of a quota are taken anew while others of the same person take them, too. */
const MOST_ATTEMPTS = 50;

/**
 * Writes new jobs of somebody with `operations`, in one transaction: they wait from now on. `prepare` is done before, once it is
 * known that they may. Throws `throttled` when a quota of waiting jobs has not as many left, `conflict` for more
 * jobs and quotas than one transaction holds; `TableConflict`.
 */
export async function enqueue(
  deps: Deps,
  { name, groups }: User,
  jobs: readonly JobRecord[],
  operations: readonly Operation[],
  prepare: () => Promise<void>,
): Promise<void> {
  const { quotas } = await labSettings(deps);
  const limits = limitsOf(quotas, { name, groups }, "waiting");
  const ids = jobs.map(({ id }) => id);
  for (let left = MOST_ATTEMPTS; ; left--) {
    const taken = await takeSlots(deps, limits, ids);
    if ("full" in taken) throw refusal(limitText(taken.full), jobs.length);
    if (left === MOST_ATTEMPTS) await prepare();
    const waiting = jobs.map((job): JobRecord => {
      const slots = taken.slots.get(job.id) ?? [];
      return slots.length === 0 ? job : { ...job, quota_slots: [...slots] };
    });
    const all = [
      ...waiting.flatMap((job): Operation[] => [
        { put: jobItem(job), when: "absent" },
        ...jobChange(deps, undefined, job, { who: name }),
      ]),
      ...operations,
      ...taken.operations,
    ];
    if (all.length > MAX_OPERATIONS) throw tooMany(limits.length, jobs.length);
    try {
      await deps.table.transact(all);
      return;
    } catch (error) {
      // Without a quota nobody can be in the way but the same submission itself.
      if (!(error instanceof TableConflict) || limits.length === 0 || left <= 1) throw error;
      if (await isThere(deps, operations)) throw error;
    }
  }
}

/** One transaction holds only so many slots: of a group whose submitter has many quotas, one for each job and quota. */
function tooMany(limits: number, jobs: number): AppError {
  const message = `${jobs} jobs that count for ${limits} quotas of waiting jobs can't be written at once: expected a smaller group, or a submitter in fewer groups with such quotas`;
  return new AppError("conflict", message);
}

/** Whether it was not the slots that were in the way. */
async function isThere({ table }: Deps, operations: readonly Operation[]): Promise<boolean> {
  for (const operation of operations) {
    if (!("put" in operation) || operation.when !== "absent") continue;
    if (await table.get(operation.put.key)) return true;
  }
  return false;
}

function refusal(limit: string, count: number): AppError {
  const more = count === 1 ? "another" : `${count} more`;
  const message = `the quota of ${limit} leaves no place for ${more}: wait until some have begun, or cancel some`;
  return new AppError("throttled", message);
}
