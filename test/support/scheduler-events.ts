import type { DeviceRecord } from "../../control-plane/domain/device-record.ts";
import { fc } from "./property.ts";

const of = <T extends Record<string, fc.Arbitrary<unknown>>>(name: string, fields: T) =>
  fc.record({ do: fc.constant(name), ...fields }) as fc.Arbitrary<never>;
const health = fc.constantFrom(
  "Good",
  "Good",
  "Unknown",
  "Looping",
  "Bad",
  "Maintenance",
  "Retired",
);
const alone: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 6,
    arbitrary: of("submit", {
      type: fc.nat(1),
      priority: fc.nat(3),
      isTagged: fc.boolean(),
      pin: fc.constantFrom("", "", "", "device: d1", "worker: w0"),
      isRetried: fc.boolean(),
    }),
  },
  { weight: 8, arbitrary: of("sync", { agent: fc.nat(1), isTwice: fc.boolean() }) },
  {
    weight: 7,
    arbitrary: of("end", {
      agent: fc.nat(1),
      nth: fc.nat(2),
      result: fc.constantFrom("pass", "pass", "Test", "Infrastructure"),
      isTwice: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: of("cancel", { nth: fc.nat(9) }) },
  { weight: 1, arbitrary: of("priority", { nth: fc.nat(9), priority: fc.nat(100) }) },
  { weight: 2, arbitrary: of("health", { device: fc.nat(4), health }) },
  { weight: 1, arbitrary: of("check", { device: fc.nat(4) }) },
  {
    weight: 1,
    arbitrary: of("worker", {
      worker: fc.nat(1),
      health: fc.constantFrom("Active", "Active", "Maintenance", "Retired"),
    }),
  },
  { weight: 2, arbitrary: of("time", { seconds: fc.constantFrom(30, 90, 700, 4000, 90_000) }) },
  { weight: 2, arbitrary: of("tick", {}) },
  { weight: 4, arbitrary: of("repair", {}) },
  { weight: 2, arbitrary: of("passes", { n: fc.integer({ min: 2, max: 4 }) }) },
  {
    weight: 12,
    arbitrary: of("race", {
      type: fc.nat(1),
      turns: fc.nat(160),
      against: fc.constantFrom("cancel", "health", "worker", "pass"),
      health,
    }),
  },
  { weight: 1, arbitrary: of("lose runners", { agent: fc.nat(1) }) },
  {
    weight: 4,
    arbitrary: of("crash", {
      nth: fc.integer({ min: 1, max: 6 }),
      when: fc.constantFrom("before", "after"),
    }),
  },
);
/** Something that happens in a lab with workers w0 and w1, devices d0 to d4 of types t0 and t1, or some of it at the same time. */
export const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 3, arbitrary: alone },
  {
    weight: 2,
    arbitrary: of("together", { steps: fc.array(alone, { minLength: 2, maxLength: 5 }) }),
  },
);
export type Event =
  | {
      do: "submit";
      type: number;
      priority: number;
      isTagged: boolean;
      pin: string;
      isRetried: boolean;
    }
  | { do: "sync"; agent: number; isTwice: boolean }
  | { do: "end"; agent: number; nth: number; result: string; isTwice: boolean }
  | { do: "cancel"; nth: number }
  | { do: "priority"; nth: number; priority: number }
  | { do: "health"; device: number; health: DeviceRecord["health"] }
  | { do: "check"; device: number }
  | { do: "worker"; worker: number; health: "Active" | "Maintenance" | "Retired" }
  | { do: "time"; seconds: number }
  | { do: "tick" | "repair" }
  | { do: "passes"; n: number }
  | { do: "together"; steps: Event[] }
  | {
      /** A job comes, and so many turns after the pass has begun that serves it something gets in its way. */
      do: "race";
      type: number;
      turns: number;
      against: "cancel" | "health" | "worker" | "pass";
      health: DeviceRecord["health"];
    }
  | { do: "lose runners"; agent: number }
  | { do: "crash"; nth: number; when: "before" | "after" };
