import type { ReservationView } from "#protocol/reservations.ts";
import type { Item, NewItem, Operation } from "../ports/table.ts";
import { changeItem, LAB, type By } from "./changes.ts";
import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import { reservationKey, reservationKeys, reservationsOfKey } from "./keys.ts";

/** A reservation in the table. Its device's record names it as well, so that no job is given that device beside it. */
export type ReservationRecord = ReservationView;

/** How long one that is over can still be read. */
const KEPT_MS = 90 * 24 * 60 * 60 * 1000;

export const reservationItem = (reservation: ReservationRecord): NewItem => ({
  key: reservationKey(reservation.id),
  data: reservation,
  keys: reservationKeys(reservation),
  ...(reservation.ended === undefined ? {} : { expires: Date.parse(reservation.ended) + KEPT_MS }),
});

/** Which reservations a person has that are not over: what counts for how many they may have. */
export const reservationsOfItem = (holder: string, ids: readonly string[]): NewItem => ({
  key: reservationsOfKey(holder),
  data: { holder, ids },
});

export const findReservation = (
  { table }: Deps,
  id: string,
): Promise<Item<ReservationRecord> | undefined> => table.get<ReservationRecord>(reservationKey(id));

/** What is to be written when a reservation becomes what it is now: with the entry for the audit log. */
export function reservationChange(
  deps: Deps,
  before: ReservationRecord | undefined,
  after: ReservationRecord,
  by: By,
): Operation[] {
  const changed: Record<string, [string | null, string | null]> = {};
  for (const field of ["state", "until"] as const) {
    const [old = null, now = null] = [before?.[field], after[field]];
    if (old !== now) changed[field] = [old, now];
  }
  const { id, device, holder, state, until } = after;
  const data = { reservation: id, device, holder, state, until };
  const change = { kind: "reservation", name: id, changed, data, ...by } as const;
  return [{ put: changeItem(deps, change), when: "absent" }];
}

/**
 * A device that has just become free, with the begin of the reservation that waited for that; as it was when none did. For the
 * transaction that frees it.
 */
export async function withBegunReservation(
  deps: Deps,
  device: DeviceRecord,
): Promise<{ device: DeviceRecord; operations: Operation[] }> {
  const { reservation } = device;
  if (!reservation || reservation.until !== undefined) return { device, operations: [] };
  const item = await findReservation(deps, reservation.id);
  if (item?.data.state !== "waiting") return { device, operations: [] };
  const begun = begunNow(deps, item.data);
  return {
    device: { ...device, reservation: onDevice(begun) },
    operations: [
      { put: reservationItem(begun), when: { version: item.version } },
      ...reservationChange(deps, item.data, begun, { who: LAB, reason: "the device is free" }),
    ],
  };
}

/** The reservation as it is when it begins now. */
export function begunNow({ system }: Deps, reservation: ReservationRecord): ReservationRecord {
  const now = system.now();
  return {
    ...reservation,
    state: "active",
    from: new Date(now).toISOString(),
    until: new Date(now + reservation.seconds * 1000).toISOString(),
  };
}

/** What the device's record has of it. */
export const onDevice = ({
  id,
  holder,
  until,
}: ReservationRecord): NonNullable<DeviceRecord["reservation"]> => ({
  id,
  holder,
  ...(until === undefined ? {} : { until }),
});

/** Who has a device now or next; nobody once the time is over, whether or not that has been noted. */
export function holderOf(
  { reservation }: Pick<DeviceRecord, "reservation">,
  now: number,
): DeviceRecord["reservation"] {
  if (!reservation) return undefined;
  const { until } = reservation;
  return until !== undefined && Date.parse(until) <= now ? undefined : reservation;
}

/** Whether it has not ended: one whose time is over counts for nothing more, whether or not the tick has noted that. */
export const isOpen = ({ state, until }: ReservationRecord, now: number): boolean =>
  state !== "ended" && (until === undefined || Date.parse(until) > now);
