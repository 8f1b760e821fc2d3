import type { Operation } from "../ports/table.ts";
import { requireOnLab } from "./visible.ts";
import { editChange, LAB, type By } from "./changes.ts";
import { compareVersions } from "#protocol/compare-versions.ts";
import {
  STAGES,
  type RolloutState,
  type RolloutView,
  type StartRollout,
} from "#protocol/release-api.ts";
import { AppError } from "./app-error.ts";
import { nowOf } from "./closed-lab.ts";
import type { Deps } from "./deps.ts";
import { rolloutKey } from "./keys.ts";
import { requireAdmin, type Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";
import { getReleaseItem, requireOfferable, type ReleaseRecord } from "./releases.ts";
import { retrying } from "./retrying.ts";
import { findRollout, isChosen, placeOf, type RolloutRecord } from "./rollout-record.ts";
import { without } from "./without.ts";
import { getWorkerItem, type WorkerRecord } from "./worker-record.ts";

/** How many workers are told at once; the others learn of it by their next sync, within minutes. */
const RINGS = 100;

/** The roll-out and how each worker stands to it; undefined when there never was one. */
export async function getRollout(
  deps: Deps,
  principal: Principal,
): Promise<{ rollout?: RolloutView }> {
  await requireOnLab(deps, principal, "view");
  const item = await findRollout(deps);
  return item ? { rollout: await rolloutView(deps, item.data) } : {};
}

/**
 * Begins a roll-out in place of the one before. Throws `not_found` for an unknown release or worker, `conflict` when its files are not all
 * there or no worker could take it.
 */
export async function startRollout(
  deps: Deps,
  principal: Principal,
  { version, stage, worker }: StartRollout,
): Promise<{ rollout: RolloutView }> {
  const { name: user } = requireAdmin(principal);
  const release = await requireOfferable(deps, version);
  const first = worker ?? (await chooseFirst(deps, release));
  if (worker !== undefined) await requireAble(deps, release, worker);
  const now = nowOf(deps);
  const rollout: RolloutRecord = {
    id: deps.system.id(),
    version,
    stage,
    first,
    active: true,
    user,
    started: now,
    changed: now,
  };
  await retrying(async () => {
    const before = await findRollout(deps);
    await deps.table.transact([
      {
        put: { key: rolloutKey, data: rollout },
        when: before ? { version: before.version } : "absent",
      },
      ...rolloutChange(deps, before?.data, rollout, { who: user }),
    ]);
  });
  await tell(deps, rollout);
  return { rollout: await rolloutView(deps, rollout) };
}

/** Widens the stage; a roll-out that was stopped goes on with the stage that it had. Throws `conflict` when there is no more. */
export async function widenRollout(
  deps: Deps,
  principal: Principal,
): Promise<{ rollout: RolloutView }> {
  const { name } = requireAdmin(principal);
  return change(deps, name, (before) => {
    if (!before.active) return { ...without(before, "reason"), active: true };
    const next = STAGES[STAGES.indexOf(before.stage) + 1];
    if (next === undefined) {
      throw new AppError("conflict", `the roll-out of ${before.version} has reached all workers`);
    }
    return { ...before, stage: next };
  });
}

/** No worker is offered it any more: those that have not changed to it yet stay as they are. Again does nothing. */
export async function stopRollout(
  deps: Deps,
  principal: Principal,
): Promise<{ rollout: RolloutView }> {
  const { name } = requireAdmin(principal);
  return change(deps, name, (before) =>
    before.active ? { ...before, active: false, reason: `${name} stopped it` } : before,
  );
}

/** A worker that went back ends the roll-out in which it got the version. */
export async function stopFailedRollout(
  deps: Deps,
  worker: string,
  id: string,
  why: string,
): Promise<void> {
  const after = await retrying(async () => {
    const item = await findRollout(deps);
    if (item?.data.id !== id || !item.data.active) return undefined;
    const reason = `worker ${worker} went back to its old version: ${why}`;
    const stopped = { ...item.data, active: false, reason, changed: nowOf(deps) };
    await deps.table.transact([
      { put: { key: rolloutKey, data: stopped }, when: { version: item.version } },
      ...rolloutChange(deps, item.data, stopped, { who: LAB, reason }),
    ]);
    deps.system.log("roll-out stopped", { version: stopped.version, reason });
    return stopped;
  });
  if (after) await tell(deps, after);
}

/** What happened to a roll-out, for the audit log. */
function rolloutChange(
  deps: Deps,
  before: RolloutRecord | undefined,
  after: RolloutRecord,
  by: By,
): Operation[] {
  const told = ({ version, stage, first, active }: RolloutRecord) => ({
    ...{ version, stage, first, active: String(active) },
  });
  return editChange(deps, "rollout", after.version, [before && told(before), told(after)], by);
}

async function change(
  deps: Deps,
  who: string,
  decide: (before: RolloutRecord) => RolloutRecord,
): Promise<{ rollout: RolloutView }> {
  const after = await retrying(async () => {
    const item = await findRollout(deps);
    if (!item) throw new AppError("not_found", "nothing has been rolled out yet");
    const decided = decide(item.data);
    if (decided === item.data) return decided;
    const data = { ...decided, changed: nowOf(deps) };
    await deps.table.transact([
      { put: { key: rolloutKey, data }, when: { version: item.version } },
      ...rolloutChange(deps, item.data, data, { who }),
    ]);
    return data;
  });
  await tell(deps, after);
  return { rollout: await rolloutView(deps, after) };
}

/** Rings for those whom it concerns and who are there. */
async function tell(deps: Deps, rollout: RolloutRecord): Promise<void> {
  let left = RINGS;
  for await (const { data } of queryAll<WorkerRecord>(deps, "i1", "workers")) {
    if (left === 0) return;
    if (data.version === rollout.version || data.platform === undefined) continue;
    if (!isChosen(deps, rollout, data)) continue;
    left--;
    await deps.signals.ring(`worker/${data.name}`);
  }
}

/** Of one that is too old to say why, or has not been heard of yet. */
const UNSAID = "it has not said that it can upgrade itself";

const hasFile = (release: ReleaseRecord, { platform }: WorkerRecord): boolean =>
  release.files.some((file) => file.platform === platform);

/** Of those that are there and could take it, the first by `placeOf`; so that 10 % has it anyway. */
async function chooseFirst(deps: Deps, release: ReleaseRecord): Promise<string> {
  let first: { name: string; place: number } | undefined;
  for await (const { data } of queryAll<WorkerRecord>(deps, "i1", "workers")) {
    const isLower = compareVersions(data.version ?? "", release.version) < 0;
    const isThere = data.state === "Online" || data.protocol !== undefined;
    if (!isThere || !hasFile(release, data) || !isLower || data.pin) continue;
    // One that is away keeps everybody waiting.
    const away = data.state === "Online" ? 0 : 1;
    const place = away + placeOf(deps, release.version, data.name);
    if (!first || place < first.place) first = { name: data.name, place };
  }
  if (first) return first.name;
  const message = `no worker could change to ${release.version}: each has it, can't upgrade itself, is of a platform that the release lacks, or is pinned`;
  throw new AppError("conflict", message);
}

async function requireAble(deps: Deps, release: ReleaseRecord, name: string): Promise<void> {
  const { data } = await getWorkerItem(deps, name);
  if (hasFile(release, data)) return;
  const why =
    data.platform === undefined
      ? (data.by_hand ?? UNSAID)
      : `the release has no file for ${data.platform}`;
  throw new AppError("conflict", `worker ${name} can't change to ${release.version}: ${why}`);
}

async function rolloutView(deps: Deps, rollout: RolloutRecord): Promise<RolloutView> {
  const workers: RolloutView["workers"] = [];
  const release = (await getReleaseItem(deps, rollout.version).catch(() => undefined))?.data;
  for await (const { data } of queryAll<WorkerRecord>(deps, "i1", "workers")) {
    const { state, detail } = standing(deps, rollout, release, data);
    workers.push({
      name: data.name,
      ...(data.version === undefined ? {} : { version: data.version }),
      state,
      ...(detail === undefined ? {} : { detail }),
    });
  }
  return { ...rollout, workers };
}

function standing(
  deps: Deps,
  rollout: RolloutRecord,
  release: ReleaseRecord | undefined,
  worker: WorkerRecord,
): { state: RolloutState; detail?: string } {
  const { version = "", pin, by_hand, upgrade, platform } = worker;
  if (version === rollout.version) return { state: "upgraded" };
  if (pin) return { state: "pinned", detail: `to ${pin.version}` };
  if (platform === undefined) return { state: "by_hand", detail: by_hand ?? UNSAID };
  if (release && !hasFile(release, worker)) {
    return { state: "by_hand", detail: `the release has no file for ${platform}` };
  }
  if (compareVersions(version, rollout.version) > 0) return { state: "newer" };
  if (upgrade?.id === rollout.id) return reported(upgrade);
  return { state: rollout.active && isChosen(deps, rollout, worker) ? "offered" : "later" };
}

function reported({ state, reason, percent }: NonNullable<WorkerRecord["upgrade"]>): {
  state: RolloutState;
  detail?: string;
} {
  const known = (["downloading", "waiting", "failed", "rolled_back"] as const).find(
    (one) => one === state,
  );
  const detail = reason ?? (percent === undefined ? undefined : `${Math.floor(percent)} %`);
  return { state: known ?? "offered", ...(detail === undefined ? {} : { detail }) };
}
