import { expect, test } from "vitest";
import { idleHour } from "../../scripts/benchmarks/cost-idle.ts";
import { NOTHING, priceOf, times, total } from "../../scripts/benchmarks/prices.ts";

test("an idle worker's share of the table costs less than four cents a month", async () => {
  const [empty, busy] = [await idleHour(0), await idleHour(2)];
  const hour = {
    ...NOTHING,
    readUnits: (busy.readUnits - empty.readUnits) / 2,
    writeUnits: (busy.writeUnits - empty.writeUnits) / 2,
  };
  expect(busy.syncs / 2).toBeGreaterThanOrEqual(12);
  expect(hour.writeUnits).toBeGreaterThan(12);
  expect(total(priceOf(times(hour, 730)))).toBeLessThan(0.04);
});

test("a lab in which nothing happens writes nothing", async () => {
  const { writeUnits, readUnits } = await idleHour(0);
  expect(writeUnits).toBe(0);
  expect(readUnits).toBeLessThan(60 * 4);
});
