import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import { beginGroup, type Pair } from "./begin-group.ts";
import { findGroup } from "./group-record.ts";
import { idleDevices } from "./idle-devices.ts";
import { findJobItem, type JobRecord } from "./job-record.ts";
import { matchDevices } from "./match-devices.ts";
import { withWorker, type PassFacts } from "./pass-facts.ts";
import { queryFirst } from "./query-all.ts";
import { obstacle, suits, type Facts } from "./suits.ts";
import { without } from "./without.ts";

/** How many devices of a type that suit one of a group's jobs are looked at, and how many to find them. */
const MOST_DEVICES = 500;
const MOST_READ = 10_000;
/** How often a group is planned anew because something changed meanwhile, before it waits for the next pass. */
const MOST_PLANS = 10;

/** A device that nobody else gets in this pass; with `andWorker` nor any other of its worker. */
export interface Withheld {
  readonly hostname: string;
  readonly andWorker?: string;
}

/** The multinode groups of one scheduling pass. */
export interface GroupTurns {
  /**
   * The turn of a group, when the first of its jobs comes in the queue: all of its jobs get devices in one transaction, or none does
   * (MULTINODE.md 5, where LAVA reserves one by one). Says which devices others do not get: those that it has taken; or, for the most
   * urgent group that has to wait, those that are idle and will do for it, so that less urgent jobs don't take them one by one for
   * ever. They are kept in this pass only and only for a group that could begin with what is Online and healthy, so that one that
   * never can blocks nobody.
   */
  turn(job: JobRecord): Promise<Withheld[]>;
}

/** Made for each pass anew. */
export function groupTurns(deps: Deps, passed: PassFacts): GroupTurns {
  const seen = new Set<string>();
  let kept: DeviceRecord[] = [];
  return {
    async turn({ group: id = "" }) {
      if (seen.has(id)) return [];
      seen.add(id);
      for (let plans = 0; plans < MOST_PLANS; plans++) {
        const reserved = await reservedBy(deps, id);
        if (reserved) return reserved;
        const members = await waitingMembers(deps, id);
        if (!members) return [];
        const lab = labView(deps, passed, kept);
        const given = await lab.match(members, "idle");
        if (given.every((device) => device !== undefined)) {
          const outcome = await beginGroup(deps, passed, id, pairs(members, given));
          if (outcome === "begun") return given.map(({ hostname }) => ({ hostname }));
          if (outcome !== "changed") return [];
        } else if (kept.length > 0) {
          return [];
        } else {
          const could = await lab.match(members, "healthy");
          if (could.includes(undefined)) return [];
          kept = given.filter((device) => device !== undefined);
          return kept.map((device) => lab.withheld(device, kept));
        }
      }
      return [];
    },
  };
}

const pairs = (members: readonly JobRecord[], devices: readonly DeviceRecord[]): Pair[] =>
  members.map(({ id }, n) => ({ jobId: id, hostname: devices[n]?.hostname ?? "" }));

/** What a group has or takes that another pass is just beginning; undefined when nobody is at it. */
async function reservedBy(deps: Deps, id: string): Promise<Withheld[] | undefined> {
  const phase = (await findGroup(deps, id))?.data.phase;
  if (!phase) return undefined;
  const { isDue, resumeGroup } = await import("./reserve-group.ts");
  if (!isDue(deps, phase)) return (phase.devices ?? []).map((hostname) => ({ hostname }));
  await resumeGroup(deps, id);
  return undefined;
}

/** The members that need devices, when all of the group wait still. */
async function waitingMembers(deps: Deps, id: string): Promise<JobRecord[] | undefined> {
  const group = await findGroup(deps, id);
  if (!group) return undefined;
  const found = await Promise.all(
    group.data.members.map(({ job_id }) => findJobItem(deps, job_id)),
  );
  const jobs = found.flatMap((item) => (item?.data.state === "Submitted" ? [item.data] : []));
  if (jobs.length < group.data.members.length) return undefined;
  return jobs.filter(({ host_job }) => host_job === undefined);
}

/** Devices and workers as a group sees them; read once. */
function labView(deps: Deps, passed: PassFacts, kept: readonly DeviceRecord[]) {
  const workers = new Map<string, ReturnType<typeof withWorker>>();
  const lists = new Map<string, Promise<DeviceRecord[]>>();
  const places = { idle: new Map<string, number>(), healthy: new Map<string, number>() };
  type Kind = keyof typeof places;

  const listOf = (type: string, kind: Kind, members: readonly JobRecord[]) => {
    const name = `${kind} ${type}`;
    const list = lists.get(name) ?? readDevices(deps, type, kind, members);
    lists.set(name, list);
    return list;
  };
  async function choices(
    job: JobRecord,
    kind: Kind,
    members: readonly JobRecord[],
  ): Promise<DeviceRecord[]> {
    const facts = await passed.forJob(job);
    const found: DeviceRecord[] = [];
    for (const listed of await listOf(job.device_type, kind, members)) {
      const device = kind === "idle" ? listed : asIfIdle(listed);
      if (kind === "idle" && kept.some(({ hostname }) => hostname === device.hostname)) continue;
      if (obstacle(job, device, facts)) continue;
      const known = workers.get(device.worker) ?? withWorker(deps, facts, device);
      workers.set(device.worker, known);
      const { worker, jobsOfWorker = 0 } = (await known).facts;
      // At its limit it is busy, as a device may be: that passes.
      const now: Facts = { ...facts, worker, jobsOfWorker: kind === "idle" ? jobsOfWorker : 0 };
      if (obstacle(job, device, now)) continue;
      const limit = worker?.job_limit ?? 0;
      const others = kept.filter((one) => one.worker === device.worker).length;
      const taken = kind === "idle" ? jobsOfWorker + others : 0;
      if (limit > 0) places[kind].set(device.worker, Math.max(0, limit - taken));
      found.push(device);
    }
    return found;
  }
  return {
    async match(members: readonly JobRecord[], kind: Kind) {
      const all: DeviceRecord[][] = [];
      for (const job of members) all.push(await choices(job, kind, members));
      return matchDevices(all, places[kind]);
    },
    /** With the last place of its worker go all the worker's devices. */
    withheld({ hostname, worker }: DeviceRecord, together: readonly DeviceRecord[]): Withheld {
      const left = places.idle.get(worker);
      const here = together.filter((device) => device.worker === worker).length;
      return left === undefined || here < left ? { hostname } : { hostname, andWorker: worker };
    },
  };
}

async function readDevices(
  deps: Deps,
  type: string,
  kind: "idle" | "healthy",
  members: readonly JobRecord[],
) {
  const devices: DeviceRecord[] = [];
  let read = 0;
  const all =
    kind === "idle"
      ? idleDevices(deps, type).all()
      : dataOf(queryFirst<DeviceRecord>(deps, "i2", `type-devices#${type}`));
  for await (const device of all) {
    if (members.some((job) => suits(job, device))) devices.push(device);
    if (devices.length === MOST_DEVICES || ++read === MOST_READ) break;
  }
  return devices;
}

async function* dataOf<T>(items: AsyncIterable<{ data: T }>): AsyncGenerator<T> {
  for await (const { data } of items) yield data;
}

/** What it does now passes; its health does not, by itself. */
const asIfIdle = (device: DeviceRecord): DeviceRecord => ({
  ...without(device, "check_due", "current_job"),
  state: "Idle",
});
