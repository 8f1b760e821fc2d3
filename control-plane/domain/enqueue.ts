import { TableConflict, type Operation } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { jobChange } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { howManyFit } from "./in-parts.ts";
import { jobItem, type JobRecord } from "./job-record.ts";
import { labSettings } from "./lab-settings.ts";
import type { User } from "./principal.ts";
import { limitsOf, limitText, takeSlots, tooSmall, type Limit } from "./quotas.ts";

/** How often slots of a quota are taken anew while others of the same person take them, too. */
const MOST_ATTEMPTS = 50;

/** Of a submission: its group and its key. */
const MOST_BESIDE = 4;

/**
 * Writes new jobs of somebody with `operations`, in one transaction: they wait from now on. `prepare` is done before, once it is
 * known that they may. A group that is too large for that is written in parts
 * (form-group.ts). Throws `throttled` when a quota of waiting jobs has not as many left, `conflict` for
 * more jobs than a quota ever has place for, or more quotas than one transaction holds; `TableConflict`.
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
  const running = limitsOf(quotas, { name, groups }, "running");
  const never = tooSmall([...running, ...limits], jobs.length);
  if (never) throw neverFits(limitText(never), jobs.length);
  const write = (some: readonly JobRecord[]) => writesOf(deps, name, limits, some);
  for (let left = MOST_ATTEMPTS; ; left--) {
    const ofJobs = await write(jobs);
    if (left === MOST_ATTEMPTS) await prepare();
    const all = [...ofJobs.flat(), ...operations];
    if (howManyFit(ofJobs, operations.length) < jobs.length) {
      const { formGroup } = await import("./form-group.ts");
      return formGroup(deps, jobs, operations, write);
    }
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

/** What is to be written of each of some new jobs, with slots of their quotas that are free now. */
async function writesOf(
  deps: Deps,
  who: string,
  limits: readonly Limit[],
  jobs: readonly JobRecord[],
): Promise<Operation[][]> {
  const ids = jobs.map(({ id }) => id);
  const taken = await takeSlots(deps, limits, ids);
  if ("full" in taken) throw refusal(limitText(taken.full), jobs.length);
  return jobs.map((job): Operation[] => {
    const slots = taken.slots.get(job.id) ?? [];
    const waiting = slots.length === 0 ? job : { ...job, quota_slots: [...slots] };
    const operations: Operation[] = [
      { put: jobItem(waiting), when: "absent" },
      ...jobChange(deps, undefined, waiting, { who }),
      ...taken.operationsOf(job.id),
    ];
    if (howManyFit([operations], MOST_BESIDE) === 1) return operations;
    const message = `a job counts for ${limits.length} quotas of waiting jobs, which can't be written at once: expected a submitter in fewer groups with such quotas`;
    throw new AppError("conflict", message);
  });
}

/** Whether it was not the slots that were in the way. */
async function isThere({ table }: Deps, operations: readonly Operation[]): Promise<boolean> {
  for (const operation of operations) {
    if (!("put" in operation) || operation.when !== "absent") continue;
    if (await table.get(operation.put.key)) return true;
  }
  return false;
}

function neverFits(limit: string, count: number): AppError {
  const what = count === 1 ? "a job" : `a group of ${count} jobs, all of which begin at once`;
  const message = `the quota of ${limit} is too small for ${what}: ask an administrator for a larger one${count === 1 ? "" : ", or submit a smaller group"}`;
  return new AppError("conflict", message);
}

function refusal(limit: string, count: number): AppError {
  const more = count === 1 ? "another" : `${count} more`;
  const message = `the quota of ${limit} leaves no place for ${more}: wait until some have begun, or cancel some`;
  return new AppError("throttled", message);
}
