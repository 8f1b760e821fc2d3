import * as v from "valibot";
import { labName, tagName } from "./lab.ts";
import { listOf } from "./schema-parts.ts";

/** A person, or a CI, has a device for a time: until its end only their jobs get it. `/api/v1/reservations` */

export const reservationStateSchema = v.picklist(["waiting", "active", "ended"]);

export const reservationViewSchema = v.object({
  id: v.string(),
  device: v.string(),
  device_type: v.string(),
  holder: v.string(),
  reason: v.string(),
  /** `waiting`: somebody else's job still runs on the device; no further one begins. */
  state: reservationStateSchema,
  /** How long it is from its begin. */
  seconds: v.number(),
  created: v.string(),
  /** When it began, and when it is over. */
  from: v.optional(v.string()),
  until: v.optional(v.string()),
  ended: v.optional(v.string()),
  /** Who ended it before its time. */
  ended_by: v.optional(v.string()),
});
export type ReservationView = v.InferOutput<typeof reservationViewSchema>;
export const reservationListSchema = v.object({ reservations: v.array(reservationViewSchema) });
export type ReservationList = v.InferOutput<typeof reservationListSchema>;

/** A year. */
export const LONGEST_RESERVATION_SECONDS = 366 * 24 * 3600;
const seconds = v.pipe(
  v.number("expected seconds"),
  v.integer("expected whole seconds"),
  v.minValue(60, "expected a minute or more"),
  v.maxValue(LONGEST_RESERVATION_SECONDS, "expected a year at most"),
);

/** `POST /api/v1/reservations`, 201 with the view. */
export const makeReservationSchema = v.pipe(
  v.strictObject({
    device: v.optional(labName),
    /** In place of a device: any of this type that has the tags, an idle one if there is one. */
    device_type: v.optional(labName),
    tags: v.optional(v.pipe(listOf(tagName), v.maxLength(100, "expected at most 100 tags")), []),
    seconds,
    reason: v.optional(v.pipe(v.string("expected text"), v.maxLength(1000)), ""),
  }),
  v.check(
    ({ device, device_type }) => (device === undefined) !== (device_type === undefined),
    "expected a device, or a device_type in its place",
  ),
);
export type MakeReservation = v.InferOutput<typeof makeReservationSchema>;

/** `POST /api/v1/reservations/ID/extend`: this much longer. In place of the id, the device's name will do. */
export const extendReservationSchema = v.strictObject({ seconds });

/** What a device says of it. */
export const deviceReservationSchema = v.object({
  id: v.string(),
  holder: v.string(),
  /** Absent: it waits for somebody else's job to end. */
  until: v.optional(v.string()),
});
export type DeviceReservation = v.InferOutput<typeof deviceReservationSchema>;
