import type { RetentionRule } from "#protocol/lab-settings.ts";
import type { RetentionStep, RunRetention } from "#protocol/retention.ts";
import { changeItem, LAB, type By } from "../changes.ts";
import { findClosed } from "../closed-lab.ts";
import type { Deps } from "../deps.ts";
import { jobView, type JobRecord } from "../job-record.ts";
import { padded, retentionKey } from "../keys.ts";
import { labSettings } from "../lab-settings.ts";
import { requireAdmin, type Principal } from "../principal.ts";
import { AppError } from "../app-error.ts";
import { archiveJob } from "./archive-job.ts";
import { readKept } from "./kept-jobs.ts";
import { retentionItem, type RetentionRecord } from "./retention-record.ts";
import { removeJob, removeLog } from "./remove-job.ts";
import { isTooYoung, removalOf } from "./rules.ts";

/** Jobs that one step looks at, and of which it removes something. */
const MOST_LOOKED_AT = 200;
const MOST_REMOVED = 10;
/** After a whole round. */
const REST_MS = 60 * 60 * 1000;

/** A step for an administrator, who says where it begins; nothing is removed when it is dry. */
export async function runRetention(
  deps: Deps,
  principal: Principal,
  { dry_run, after = 0 }: RunRetention,
): Promise<RetentionStep> {
  const { name: who } = requireAdmin(principal);
  if (!dry_run && (await findClosed(deps))) {
    throw new AppError("conflict", "the lab is closed: nothing is removed in it");
  }
  const { rules, archive } = (await labSettings(deps)).retention;
  const step = await retentionStep(deps, rules, { after, dry_run, archive, by: { who } });
  if (!dry_run && step.jobs.length > 0) {
    const ids = step.jobs.map(({ id, remove }) => (remove === "job" ? `${id}` : `log of ${id}`));
    const changed = { removed: [null, ids.join(", ")] } satisfies Record<string, [null, string]>;
    const change = changeItem(deps, { kind: "lab", name: "retention", changed, who });
    await deps.table.transact([{ put: change, when: "absent" }]);
  }
  return step;
}

/** What the tick does: one step of a round over all jobs, oldest first; after a round nothing for an hour. */
export async function sweepRetention(deps: Deps): Promise<void> {
  const { rules, archive } = (await labSettings(deps)).retention;
  const item = await deps.table.get<RetentionRecord>(retentionKey);
  if (!item) return;
  const { after = 0 } = item.data;
  const by = { who: LAB };
  const { next } = await retentionStep(deps, rules, { after, dry_run: false, archive, by });
  const now = deps.system.now();
  const due = new Date(next === undefined ? now + REST_MS : now).toISOString();
  const data: RetentionRecord =
    rules.length === 0 ? {} : { due, ...(next === undefined ? {} : { after: next }) };
  await deps.table.transact([{ put: retentionItem(data), when: { version: item.version } }]);
}

interface How {
  after: number;
  dry_run: boolean;
  archive: boolean;
  by: By;
}

async function retentionStep(
  deps: Deps,
  rules: readonly RetentionRule[],
  { after, dry_run, archive, by }: How,
): Promise<RetentionStep> {
  const jobs: RetentionStep["jobs"] = [];
  if (rules.length === 0) return { dry_run, looked_at: 0, jobs };
  const now = deps.system.now();
  const range = { from: padded(after + 1), limit: MOST_LOOKED_AT };
  const page = await deps.table.query<JobRecord>("i1", "jobs", range);
  let looked_at = 0;
  for (const { data: job } of page.items) {
    if (isTooYoung(job, rules, now)) return { dry_run, looked_at, jobs };
    looked_at += 1;
    const kept = removalOf(job, rules, { now, isKept: false }) && (await readKept(deps, job.id));
    const removal = kept && removalOf(job, rules, { now, isKept: kept.by.length > 0 });
    if (!removal) continue;
    const reason = `retention rule ${removal.rule}`;
    if (!dry_run) {
      if (archive) await archiveJob(deps, job);
      const isDone = await (removal.remove === "job" ? removeJob : removeLog)(deps, job, {
        ...by,
        reason,
      });
      // A large one takes several steps.
      if (!isDone) return { dry_run, looked_at, jobs, next: job.id - 1 };
    }
    const { id, description, end_time } = jobView(job);
    jobs.push({ id, description, ...(end_time === undefined ? {} : { end_time }), ...removal });
    if (!dry_run && jobs.length === MOST_REMOVED) return { dry_run, looked_at, jobs, next: id };
  }
  const last = page.items.at(-1)?.data.id;
  const isEnd = last === undefined || page.cursor === undefined;
  return { dry_run, looked_at, jobs, ...(isEnd ? {} : { next: last }) };
}
