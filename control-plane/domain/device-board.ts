import type { DeviceView } from "#protocol/api.ts";
import type { DeviceHealth, DeviceState } from "#protocol/states.ts";
import { hasOnLab } from "./access.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { deviceView, type DeviceRecord } from "./device-record.ts";
import type { DeviceTypeRecord } from "./device-types.ts";
import type { Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";
import { recentJobs, type RecentJob } from "./recent-jobs.ts";
import { sightOf, type Sight } from "./visible.ts";

export interface BoardFilter {
  device_type?: string | undefined;
  worker?: string | undefined;
  state?: DeviceState | undefined;
  health?: DeviceHealth | undefined;
  tag?: string | undefined;
  /** In its name or description, whatever the case. */
  text?: string | undefined;
}

/** A job of a history strip; what whoever asks may not see of it is not there. */
export type StripJob = Omit<RecentJob, "id"> & { id?: number };

/** A device of the board, with its recent jobs, the newest first. */
export type BoardDevice = DeviceView & { recent: StripJob[] };

export interface Board {
  /** By type, then by name. */
  devices: BoardDevice[];
  next_cursor?: string;
}

const PAGE = 100;
/** How many devices, and how many device types, one page looks at to find those that fit. */
const MOST_SEEN = 1000;
const MOST_TYPES = 200;

/** Where a page ended: behind this device of this type. */
interface Place {
  type: string;
  host: string;
}
/** Before every name. */
const START = "-";

/**
 * Devices by type, those that whoever asks may see and that fit, a page of 100. A page may be shorter, even empty, and yet have
 * a cursor. It reads the devices alone: they carry what their history strips show.
 */
export async function readBoard(
  deps: Deps,
  principal: Principal,
  filter: BoardFilter,
  cursor?: string,
): Promise<Board> {
  const sight = await sightOf(deps, principal);
  const devices: BoardDevice[] = [];
  let seen = 0;
  let last: Place | undefined;
  for await (const { at, device } of inOrder(deps, filter, placeOf(cursor))) {
    if (last && (devices.length === PAGE || seen === MOST_SEEN)) {
      return { devices, next_cursor: `${last.type}/${last.host}` };
    }
    if (!device) return { devices, next_cursor: `${at.type}/${at.host}` };
    last = at;
    seen += 1;
    if (!fits(device, filter) || !(await sight.device(device))) continue;
    devices.push(boardDevice(deps, sight, device));
  }
  return { devices };
}

/** A device as its page and the board show it. */
export function boardDevice(deps: Deps, sight: Sight, device: DeviceRecord): BoardDevice {
  const seesAll = hasOnLab(sight.access, "admin");
  return { ...deviceView(deps, device), recent: stripOf(device, seesAll) };
}

function stripOf({ recent }: DeviceRecord, seesAll: boolean): StripJob[] {
  return recentJobs(recent).map((job) => {
    if (!job.isPrivate || seesAll) return job;
    return { health: "Unknown", isHealthCheck: false, isPrivate: true };
  });
}

/** The devices of a lab, of a type or of a worker from a place on. After the last type that one page looks at, a place without a device. */
async function* inOrder(
  deps: Deps,
  { device_type, worker }: BoardFilter,
  from: Place,
): AsyncGenerator<{ at: Place; device?: DeviceRecord }> {
  if (worker !== undefined) {
    const devices: DeviceRecord[] = [];
    for await (const { data } of queryAll<DeviceRecord>(deps, "i4", `worker-devices#${worker}`)) {
      if (devices.push(data) === MOST_SEEN) break;
    }
    for (const device of devices.toSorted(byType)) {
      const at = placeIn(device);
      if (isAfter(at, from)) yield { at, device };
    }
    return;
  }
  if (device_type !== undefined) {
    yield* ofType(deps, device_type, from);
    return;
  }
  let types = 0;
  const range = { limit: 100, ...(from.type === "" ? {} : { from: from.type }) };
  for await (const { data } of queryAll<DeviceTypeRecord>(deps, "i1", "device-types", range)) {
    if (types++ === MOST_TYPES) return yield { at: { type: data.name, host: START } };
    yield* ofType(deps, data.name, from);
  }
}

async function* ofType(deps: Deps, type: string, from: Place) {
  const start = from.type === type && from.host !== "" ? { from: `${from.host}!` } : {};
  const range = { ...start, limit: PAGE };
  for await (const { data } of queryAll<DeviceRecord>(deps, "i2", `type-devices#${type}`, range)) {
    yield { at: { type, host: data.hostname }, device: data };
  }
}

const isAfter = (at: Place, from: Place): boolean =>
  at.type > from.type || (at.type === from.type && at.host > from.host);

const byType = (a: DeviceRecord, b: DeviceRecord): number =>
  isAfter(placeIn(a), placeIn(b)) ? 1 : -1;

const placeIn = ({ device_type: type, hostname: host }: DeviceRecord): Place => ({ type, host });

function placeOf(cursor: string | undefined): Place {
  if (cursor === undefined) return { type: "", host: "" };
  const [, type, host] = /^([\w.-]{1,200})\/([\w.-]{1,200})$/.exec(cursor) ?? [];
  if (type !== undefined && host !== undefined) return { type, host };
  throw new AppError("invalid", "cursor: expected next_cursor of an earlier answer");
}

function fits(device: DeviceRecord, { device_type, state, health, tag, text }: BoardFilter) {
  const said = `${device.hostname} ${device.description}`.toLowerCase();
  return (
    (device_type ?? device.device_type) === device.device_type &&
    (state ?? device.state) === device.state &&
    (health ?? device.health) === device.health &&
    (tag === undefined || device.tags.includes(tag)) &&
    (text === undefined || said.includes(text.toLowerCase()))
  );
}
