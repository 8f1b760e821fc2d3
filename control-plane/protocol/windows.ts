import * as v from "valibot";
import { flag, listOf, oneOf } from "./schema-parts.ts";

/** Maintenance windows: times at which no job begins on some devices, once or every week. `/api/v1/windows` */

export const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** As `labName` of lab.ts, which needs this file. */
const placeName = v.pipe(
  v.string("expected a name"),
  v.regex(/^[A-Za-z0-9][\w.-]{0,199}$/, "expected a name of letters, digits, `.`, `_` and `-`"),
);

const moment = v.pipe(
  v.string("expected a time such as 2026-12-01T22:00:00Z"),
  v.regex(
    /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/,
    "expected a time such as 2026-12-01T22:00:00Z or 2026-12-01T23:00:00+01:00",
  ),
  v.check((text) => !Number.isNaN(Date.parse(text)), "expected a time that there is"),
);

const MOST_MINUTES = 7 * 24 * 60;
const weeklySchema = v.strictObject({
  days: v.pipe(
    listOf(oneOf(...WEEKDAYS)),
    v.minLength(1, "expected a day of the week"),
    v.maxLength(7, "expected each day once"),
  ),
  /** Of the clock in that zone. */
  at: v.pipe(
    v.string("expected a time of day such as 22:00"),
    v.regex(/^([01]\d|2[0-3]):[0-5]\d$/, "expected a time of day such as 22:00"),
  ),
  minutes: v.pipe(
    v.number("expected minutes"),
    v.integer("expected whole minutes"),
    v.minValue(1, "expected a minute or more"),
    v.maxValue(MOST_MINUTES, "expected a week at most"),
  ),
  /** IANA name. */
  zone: v.optional(
    v.pipe(
      v.string("expected a time zone such as Europe/Berlin"),
      v.check((zone) => isZone(zone), "expected a time zone such as Europe/Berlin or UTC"),
    ),
    "UTC",
  ),
});
export type Weekly = v.InferOutput<typeof weeklySchema>;

export const windowEntries = {
  /** Where: the whole lab, a type of devices, a worker or a device. */
  lab: v.optional(v.literal(true, "expected true")),
  device_type: v.optional(placeName),
  worker: v.optional(placeName),
  device: v.optional(placeName),
  /** Once ... */
  from: v.optional(moment),
  to: v.optional(moment),
  /** ... or every week. */
  weekly: v.optional(weeklySchema),
  /** Begin no job before it that might still run in it, by the job's own time-out. */
  drain: v.optional(flag, true),
  reason: v.optional(v.pipe(v.string("expected text"), v.maxLength(1000)), ""),
};

type Entries = v.InferOutput<v.StrictObjectSchema<typeof windowEntries, undefined>>;

/** What a window lacks or has too much of; undefined for one that is right. */
export function windowProblem(window: Entries): string | undefined {
  const { lab, device_type, worker, device, from, to, weekly } = window;
  const places = [lab, device_type, worker, device].filter((one) => one !== undefined);
  if (places.length !== 1) return "expected one of lab: true, device_type, worker and device";
  if (weekly) return from || to ? "expected from and to, or weekly in their place" : undefined;
  if (from === undefined || to === undefined) return "expected from and to, or weekly";
  return Date.parse(from) < Date.parse(to) ? undefined : "expected from to be before to";
}

export const windowSchema = v.pipe(
  v.strictObject(windowEntries),
  v.rawCheck(({ dataset, addIssue }) => {
    const problem = dataset.typed ? windowProblem(dataset.value) : undefined;
    if (problem !== undefined) addIssue({ message: problem });
  }),
);
export type MaintenanceWindow = v.InferOutput<typeof windowSchema>;

export const windowViewSchema = v.object({
  name: v.string(),
  ...windowEntries,
  /** The present time of it, else the next; absent once it is over. */
  next: v.optional(v.object({ from: v.string(), to: v.string() })),
});
export type WindowView = v.InferOutput<typeof windowViewSchema>;
export const windowListSchema = v.object({ windows: v.array(windowViewSchema) });
export type WindowList = v.InferOutput<typeof windowListSchema>;

function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return /^[A-Za-z][\w+/-]{0,63}$/.test(zone);
  } catch {
    return false;
  }
}
