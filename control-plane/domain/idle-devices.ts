import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import { queryFirst } from "./query-all.ts";
import { holderOf } from "./reservation-record.ts";

/** How many devices a pass looks at before it leaves the rest to others. */
const MOST_DEVICES = 10_000;

/** The idle devices of a type in their order, read when they are asked for. */
export interface IdleDevices {
  /** Whoever is given a device may drop it, or its whole worker, before the next. */
  all(): AsyncGenerator<DeviceRecord>;
  /** The device is taken or of no use; with `andWorker` so are all of its worker. */
  drop(hostname: string, andWorker?: string): void;
  isEmpty(): Promise<boolean>;
  /**
   * Who has reserved what is left, when all of it is reserved: nobody when nothing is left. Undefined while there is a device for
   * anybody.
   */
  holders(): Promise<string[] | undefined>;
}

/** Those that the pass of a type may give to jobs; what an index says of them may be out of date. */
export function idleDevices(deps: Deps, deviceType: string): IdleDevices {
  const unread = queryFirst<DeviceRecord>(deps, "i3", `idle-devices#${deviceType}`);
  const goneWorkers = new Set<string>();
  const gone = new Set<string>();
  const read = new Set<DeviceRecord>();
  let seen = 0;

  const isGone = ({ hostname, worker }: DeviceRecord) =>
    gone.has(hostname) || goneWorkers.has(worker);

  async function more(): Promise<DeviceRecord | undefined> {
    for (; seen < MOST_DEVICES; seen++) {
      const next = await unread.next();
      if (next.done) return undefined;
      if (isGone(next.value.data)) continue;
      read.add(next.value.data);
      return next.value.data;
    }
    return undefined;
  }
  return {
    async *all() {
      for (const device of read) yield device;
      for (let device = await more(); device; device = await more()) yield device;
    },
    drop(hostname, andWorker) {
      gone.add(hostname);
      if (andWorker !== undefined) goneWorkers.add(andWorker);
      for (const device of read) if (isGone(device)) read.delete(device);
    },
    isEmpty: async () => read.size === 0 && !(await more()),
    async holders() {
      const now = deps.system.now();
      for (const device of read) if (!holderOf(device, now)) return undefined;
      for (let next = await more(); next; next = await more()) {
        if (!holderOf(next, now)) return undefined;
      }
      return [...new Set([...read].map((device) => holderOf(device, now)?.holder ?? ""))];
    },
  };
}
