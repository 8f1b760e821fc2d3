import type { LabSettings } from "#protocol/lab-settings.ts";
import type { MakeReservation, ReservationView } from "#protocol/reservations.ts";
import { TableConflict, type Item, type Operation } from "../ports/table.ts";
import { accessOf, maySubmitTo, type Access } from "./access.ts";
import { AppError } from "./app-error.ts";
import { LAB } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { deviceItem, type DeviceRecord } from "./device-record.ts";
import { findJobItem } from "./job-record.ts";
import { deviceKey, reservationsOfKey } from "./keys.ts";
import { labSettings } from "./lab-settings.ts";
import { requireUser, type Principal, type User } from "./principal.ts";
import { queryAll } from "./query-all.ts";
import {
  begunNow,
  findReservation,
  holderOf,
  isOpen,
  onDevice,
  reservationChange,
  reservationItem,
  reservationsOfItem,
  type ReservationRecord,
} from "./reservation-record.ts";
import { retrying } from "./retrying.ts";
import { getVisibleDevice, sightBy, sightOf } from "./visible.ts";
import { without } from "./without.ts";

/**
 * Takes a device for a person: from now on if no job of somebody else has it, else from that job's end; meanwhile no other job is
 * given it. Needs the permission to submit to it. Throws `not_found`, `forbidden`, or `conflict` when somebody has reserved it or
 * the person has as many reservations as the lab allows; administrators may have more, and longer ones.
 */
export async function makeReservation(
  deps: Deps,
  principal: Principal,
  request: MakeReservation,
): Promise<ReservationView> {
  const user = requireUser(principal);
  const { reservations: limits } = await labSettings(deps);
  requireShortEnough(user, limits, request.seconds);
  const access = await accessOf(deps, user);
  return retrying(async () => {
    const device =
      request.device === undefined
        ? await pickDevice(deps, access, request)
        : await requireReservable(deps, user, access, request.device);
    return reserve(deps, user, device, request, limits);
  });
}

async function reserve(
  deps: Deps,
  user: User,
  device: Item<DeviceRecord>,
  { seconds, reason }: MakeReservation,
  limits: LabSettings["reservations"],
): Promise<ReservationView> {
  const { hostname, device_type } = device.data;
  if (device.data.reservation) {
    // Its time is over, and nobody has noted that yet.
    await end(deps, device.data.reservation.id);
    throw new TableConflict(`${hostname} is another one now`);
  }
  const mine = await readHeld(deps, user.name);
  // Few people come to their limit: only then it is asked which are over by time, though nobody has noted that yet.
  const isFull = !user.admin && mine.ids.length >= limits.at_once;
  const count = isFull ? await countOpen(deps, mine.ids) : 0;
  if (isFull && count >= limits.at_once) {
    const message = `${user.name} has ${count} reservations; the lab allows ${limits.at_once} at a time: end one first`;
    throw new AppError("conflict", message);
  }
  const made: ReservationRecord = {
    id: deps.system.id(),
    device: hostname,
    device_type,
    holder: user.name,
    reason,
    state: "waiting",
    seconds,
    created: new Date(deps.system.now()).toISOString(),
  };
  const isFree = await isFreeFor(deps, user.name, device.data);
  const reservation = isFree ? begunNow(deps, made) : made;
  await deps.table.transact([
    { put: deviceItem({ ...device.data, reservation: onDevice(reservation) }), when: device },
    { put: reservationItem(reservation), when: "absent" },
    mine.replace([...mine.ids, reservation.id]),
    ...reservationChange(deps, undefined, reservation, { who: user.name, reason }),
  ]);
  return reservation;
}

async function countOpen(deps: Deps, ids: readonly string[]): Promise<number> {
  const items = await Promise.all(ids.map((id) => findReservation(deps, id)));
  return items.filter((item) => item && isOpen(item.data, deps.system.now())).length;
}

/** Whether nobody else's job has the device. */
async function isFreeFor(deps: Deps, holder: string, device: DeviceRecord): Promise<boolean> {
  if (device.current_job === undefined) return true;
  return (await findJobItem(deps, device.current_job))?.data.submitter === holder;
}

async function requireReservable(
  deps: Deps,
  user: User,
  access: Access,
  hostname: string,
): Promise<Item<DeviceRecord>> {
  const device = await getVisibleDevice(deps, user, hostname);
  const type = await sightBy(deps, access).typeNamed(device.data.device_type);
  if (!maySubmitTo(access, device.data, type)) {
    const message =
      device.data.health === "Retired"
        ? `device ${hostname} is Retired`
        : `this needs the permission to submit to device ${hostname}`;
    throw new AppError("forbidden", message);
  }
  const other = holderOf(device.data, deps.system.now());
  if (!other) return device;
  const until = other.until === undefined ? "" : ` until ${other.until}`;
  throw new AppError("conflict", `device ${hostname} is reserved by ${other.holder}${until}`);
}

/** How many devices of a type are looked at. */
const MOST_DEVICES = 1000;

/** An idle one if there is one, else one whose job will end. */
async function pickDevice(
  deps: Deps,
  access: Access,
  { device_type: type = "", tags }: MakeReservation,
): Promise<Item<DeviceRecord>> {
  const typeOf = await sightBy(deps, access).typeNamed(type);
  let busy: string | undefined;
  let seen = 0;
  const now = deps.system.now();
  for await (const { data } of queryAll<DeviceRecord>(deps, "i2", `type-devices#${type}`)) {
    if (++seen > MOST_DEVICES) break;
    const isGood = data.health === "Good" || data.health === "Unknown";
    const isFit = isGood && tags.every((tag) => data.tags.includes(tag));
    if (!isFit || holderOf(data, now) || !maySubmitTo(access, data, typeOf)) continue;
    if (data.state !== "Idle") busy ??= data.hostname;
    else {
      const item = await deps.table.get<DeviceRecord>(deviceKey(data.hostname));
      if (item?.data.state === "Idle" && !holderOf(item.data, now)) return item;
    }
  }
  const item = busy === undefined ? undefined : await deps.table.get<DeviceRecord>(deviceKey(busy));
  if (item && !holderOf(item.data, now)) return item;
  const withTags = tags.length === 0 ? "" : ` with tags ${tags.join(", ")}`;
  const message = `no device of type ${type}${withTags} can be reserved now: all are reserved, in bad health or not yours to submit to`;
  throw new AppError("conflict", message);
}

/** Makes a reservation longer, for its holder or an administrator. Throws `not_found`, `forbidden`, or `conflict` when that is too long. */
export async function extendReservation(
  deps: Deps,
  principal: Principal,
  name: string,
  seconds: number,
): Promise<ReservationView> {
  const user = requireUser(principal);
  const { reservations: limits } = await labSettings(deps);
  return retrying(async () => {
    const item = await getOwn(deps, user, name);
    const { data: before } = item;
    const longer = before.seconds + seconds;
    requireShortEnough(user, limits, longer);
    const until =
      before.until === undefined
        ? {}
        : { until: new Date(Date.parse(before.until) + seconds * 1000).toISOString() };
    const after: ReservationRecord = { ...before, seconds: longer, ...until };
    const device = await deps.table.get<DeviceRecord>(deviceKey(before.device));
    if (!device || device.data.reservation?.id !== before.id) throw gone(name);
    await deps.table.transact([
      { put: reservationItem(after), when: { version: item.version } },
      { put: deviceItem({ ...device.data, reservation: onDevice(after) }), when: device },
      ...reservationChange(deps, before, after, { who: user.name, reason: `${seconds} s longer` }),
    ]);
    return after;
  });
}

/** Ends a reservation before its time, for its holder or an administrator; the next job may have the device. Throws `not_found`, `forbidden`. */
export async function endReservation(
  deps: Deps,
  principal: Principal,
  name: string,
): Promise<void> {
  const user = requireUser(principal);
  const { id } = (await getOwn(deps, user, name)).data;
  await end(deps, id, user.name);
}

/**
 * What the tick does with a reservation: ends it when it is over, and begins one that still waits for a device that has become free
 * in a way that told nobody, as in a restored lab.
 */
export async function passReservation(deps: Deps, { id, until }: ReservationRecord): Promise<void> {
  if (until !== undefined) await end(deps, id);
  else await beginIfFree(deps, id);
}

async function beginIfFree(deps: Deps, id: string): Promise<void> {
  const isGone = await retrying(async () => {
    const item = await findReservation(deps, id);
    if (item?.data.state !== "waiting") return false;
    const device = await deps.table.get<DeviceRecord>(deviceKey(item.data.device));
    if (device?.data.reservation?.id !== id) return true;
    if (!(await isFreeFor(deps, item.data.holder, device.data))) return false;
    const begun = begunNow(deps, item.data);
    await deps.table.transact([
      { put: reservationItem(begun), when: { version: item.version } },
      { put: deviceItem({ ...device.data, reservation: onDevice(begun) }), when: device },
      ...reservationChange(deps, item.data, begun, { who: LAB, reason: "the device is free" }),
    ]);
    return false;
  });
  if (isGone) await end(deps, id);
}

/** Ends one that is over, or with `by` before that. */
async function end(deps: Deps, id: string, by?: string): Promise<void> {
  const device = await retrying(async () => {
    const item = await findReservation(deps, id);
    if (!item || item.data.state === "ended") return undefined;
    const { data: before, version } = item;
    const now = deps.system.now();
    // Somebody may have made it longer meanwhile.
    if (by === undefined && before.until !== undefined && Date.parse(before.until) > now) return;
    const after: ReservationRecord = {
      ...before,
      state: "ended",
      ended: new Date(now).toISOString(),
      ...(by === undefined ? {} : { ended_by: by }),
    };
    const held = await readHeld(deps, before.holder);
    const on = await deps.table.get<DeviceRecord>(deviceKey(before.device));
    const isThere = on?.data.reservation?.id === id;
    const reason = by === undefined ? "its time is over" : "ended before its time";
    await deps.table.transact([
      { put: reservationItem(after), when: { version } },
      held.replace(held.ids.filter((one) => one !== id)),
      ...(isThere ? [{ put: deviceItem(without(on.data, "reservation")), when: on }] : []),
      ...reservationChange(deps, before, after, { who: by ?? LAB, reason }),
    ]);
    return isThere ? on.data : undefined;
  });
  if (!device) return;
  const { settleConsoleOf } = await import("./console-ends.ts");
  await settleConsoleOf(deps, device.hostname);
  await deps.signals.requestPass(device.device_type);
}

/** Open reservations, by their time, of devices that whoever asks may see, oldest first. */
export async function listReservations(
  deps: Deps,
  principal: Principal,
): Promise<{ reservations: ReservationView[] }> {
  const sight = await sightOf(deps, principal);
  const now = deps.system.now();
  const reservations: ReservationView[] = [];
  for await (const { data } of queryAll<ReservationRecord>(deps, "i1", "reservations")) {
    if (!isOpen(data, now)) continue;
    const device = await deps.table.get<DeviceRecord>(deviceKey(data.device));
    const isSeen = device ? await sight.device(device.data) : sight.access.admin;
    if (isSeen || data.holder === sight.access.name) reservations.push(data);
  }
  return { reservations };
}

/** The reservation that holds a device now: not one that waits, nor one whose time is over. */
export async function activeReservation(
  deps: Deps,
  hostname: string,
): Promise<ReservationView | undefined> {
  const device = await deps.table.get<DeviceRecord>(deviceKey(hostname));
  const held = device && holderOf(device.data, deps.system.now());
  if (held?.until === undefined) return undefined;
  return (await findReservation(deps, held.id))?.data;
}

/** By its id, or by the name of the device that it is of; one that has not ended. */
async function getOwn(deps: Deps, user: User, name: string): Promise<Item<ReservationRecord>> {
  const device = await deps.table.get<DeviceRecord>(deviceKey(name));
  const item = await findReservation(deps, device?.data.reservation?.id ?? name);
  const isMine = item?.data.holder === user.name || user.admin;
  if (item && !isOpen(item.data, deps.system.now())) throw gone(name);
  if (item && isMine) return item;
  if (item && !isMine && (await getVisibleDevice(deps, user, item.data.device))) {
    const { device: hostname, holder } = item.data;
    throw new AppError("forbidden", `the reservation of ${hostname} is that of ${holder}`);
  }
  throw gone(name);
}

const gone = (name: string): AppError =>
  new AppError("not_found", `there is no open reservation ${JSON.stringify(name)}`);

function requireShortEnough(
  user: User,
  { longest_hours: hours }: LabSettings["reservations"],
  seconds: number,
): void {
  if (user.admin || seconds <= hours * 3600) return;
  throw new AppError("conflict", `a reservation is at most ${hours} h long in this lab`);
}

async function readHeld(deps: Deps, holder: string) {
  const key = reservationsOfKey(holder);
  const item = await deps.table.get<{ ids: string[] }>(key);
  return {
    ids: item?.data.ids ?? [],
    replace: (ids: readonly string[]): Operation => ({
      put: reservationsOfItem(holder, ids),
      when: item ? { version: item.version } : "absent",
    }),
  };
}
