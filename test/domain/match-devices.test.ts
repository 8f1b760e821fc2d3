import { expect, test } from "vitest";
import type { DeviceRecord } from "../../control-plane/domain/device-record.ts";
import { matchDevices } from "../../control-plane/domain/match-devices.ts";
import { fc } from "../support/property.ts";

const WORKERS = ["w0", "w1", "w2"];
const devices = Array.from(
  { length: 6 },
  (_, n) => ({ hostname: `d${n}`, worker: WORKERS[n % 3] }) as DeviceRecord,
);

/** How many members can have a device at most, by trying everything. */
function best(choices: DeviceRecord[][], places: ReadonlyMap<string, number>): number {
  const [first, ...rest] = choices;
  if (!first) return 0;
  const tries = first
    .filter(({ worker }) => (places.get(worker) ?? Infinity) > 0)
    .map((device) => {
      const left = rest.map((more) => more.filter((one) => one !== device));
      const fewer = new Map(places);
      const now = places.get(device.worker);
      if (now !== undefined) fewer.set(device.worker, now - 1);
      return 1 + best(left, fewer);
    });
  return Math.max(best(rest, places), ...tries);
}

test("as many members as possible get a device of their choice, each its own, within the workers' limits", () => {
  const world = fc.record({
    choices: fc.array(fc.uniqueArray(fc.constantFrom(...devices)), { maxLength: 5 }),
    places: fc.dictionary(fc.constantFrom(...WORKERS), fc.nat(2)),
  });
  fc.assert(
    fc.property(world, ({ choices, places }) => {
      const limits = new Map(Object.entries(places));
      const given = matchDevices(choices, limits);
      const got = given.filter((device) => device !== undefined);
      expect(given).toHaveLength(choices.length);
      for (const [member, device] of given.entries()) {
        if (device) expect(choices[member]).toContain(device);
      }
      expect(new Set(got).size).toBe(got.length);
      for (const [worker, most] of limits) {
        expect(got.filter((device) => device.worker === worker).length).toBeLessThanOrEqual(most);
      }
      expect(got.length).toBe(best(choices, limits));
    }),
    { numRuns: 300 },
  );
});

test("the first member gets its first choice where that does no harm", () => {
  const [a, b] = devices as [DeviceRecord, DeviceRecord];
  expect(matchDevices([[a, b], [b]], new Map())).toEqual([a, b]);
  expect(matchDevices([[a, b], [a]], new Map())).toEqual([b, a]);
});
