import { hasOnLab, isGranted, maySeeWorker } from "../access.ts";
import type { ChangeRecord } from "../changes.ts";
import type { Deps } from "../deps.ts";
import type { DeviceRecord } from "../device-record.ts";
import { findJobItem } from "../job-record.ts";
import { deviceKey, workerKey } from "../keys.ts";
import { tokenKey } from "../people-keys.ts";
import { labSettings } from "../lab-settings.ts";
import { ANONYMOUS, type Principal } from "../principal.ts";
import { isRooted, type TokenRecord } from "../tokens.ts";
import { userAccess } from "../users.ts";
import { sightOf } from "../visible.ts";
import type { WorkerRecord } from "../worker-record.ts";

/** Kinds of changes that are events; the others are in the audit log. */
export const EVENT_KINDS = ["job", "device", "worker", "event"] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

/** How long what somebody may see is taken for granted. */
const SIGHT_MS = 30_000;
/** So many jobs, devices and workers are remembered. */
const MAX_REMEMBERED = 10_000;

export interface EventSight {
  /** Whether they may see what the change is about. */
  sees(change: ChangeRecord): Promise<boolean>;
  /** False when their token or their account is no good any more. */
  isGood(): Promise<boolean>;
}

/** What a follower of events may see; looked at again every half minute, as a stream may last. */
export async function eventSight(deps: Deps, principal: Principal): Promise<EventSight> {
  let sight = await sightOf(deps, principal);
  let known = new Map<string, Promise<boolean>>();
  let until = deps.system.now() + SIGHT_MS;

  async function look({ kind, name }: ChangeRecord): Promise<boolean> {
    const { access } = sight;
    if (hasOnLab(access, "admin")) return true;
    if (kind === "job" || kind === "event") {
      const job = await findJobItem(deps, Number(name));
      return job !== undefined && sight.job(job.data);
    }
    if (kind === "device") {
      const device = await deps.table.get<DeviceRecord>(deviceKey(name));
      return device !== undefined && sight.device(device.data);
    }
    const worker = await deps.table.get<WorkerRecord>(workerKey(name));
    return worker !== undefined && maySeeWorker(access, worker.data);
  }

  return {
    sees(change) {
      const what = `${change.kind}/${change.name}`;
      const seen = known.get(what) ?? look(change);
      if (known.size < MAX_REMEMBERED) known.set(what, seen);
      return seen;
    },
    async isGood() {
      if (deps.system.now() < until) return true;
      until = deps.system.now() + SIGHT_MS;
      const now = await principalNow(deps, principal);
      if (!now) return false;
      sight = await sightOf(deps, now);
      known = new Map();
      return true;
    },
  };
}

/** What somebody who began to listen some time ago may see now; undefined when their token or account is no good any more. */
export async function listenerSight(
  deps: Deps,
  principal: Principal,
): Promise<EventSight | undefined> {
  const now = await principalNow(deps, principal);
  if (!now) return undefined;
  return now.kind === "worker" ? workerSight(deps, now) : eventSight(deps, now);
}

/** A worker hears of its own jobs. */
function workerSight(deps: Deps, worker: Extract<Principal, { kind: "worker" }>): EventSight {
  let until = deps.system.now() + SIGHT_MS;
  return {
    sees: async (change) => isOfWorker(change, worker.name),
    async isGood() {
      if (deps.system.now() < until) return true;
      until = deps.system.now() + SIGHT_MS;
      return (await principalNow(deps, worker)) !== undefined;
    },
  };
}

/** Whether a change is what a worker listens for. */
export const isOfWorker = ({ kind, data }: ChangeRecord, worker: string): boolean =>
  kind === "job" && data?.["worker"] === worker;

async function principalNow(deps: Deps, principal: Principal): Promise<Principal | undefined> {
  if (principal.kind === "worker") {
    return (await deps.table.get(tokenKey(principal.tokenId))) ? principal : undefined;
  }
  if (principal.kind === ANONYMOUS) {
    const { access } = await labSettings(deps);
    const nobody = { name: "", groups: [] };
    return isGranted(nobody, access.permissions, "view") ? principal : undefined;
  }
  if (principal.kind !== "user" && principal.kind !== "session") return principal;
  const user = await userAccess(deps, principal.name);
  const token = await deps.table.get<TokenRecord>(tokenKey(principal.tokenId));
  if (!user.active || !token || !(await isRooted(deps, token.data))) return undefined;
  return { ...principal, admin: principal.admin && user.admin, groups: user.groups };
}
