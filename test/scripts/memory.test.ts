import { expect, test } from "vitest";
import { memoryOf } from "../../scripts/trials/memory.ts";

const overMinutes = (minutes: number, mbAt: (second: number) => number): number[] =>
  Array.from({ length: minutes * 60 }, (_, second) => mbAt(second));

test("memory that fills at first, and goes up and down then, is flat", () => {
  const seen = overMinutes(10, (s) => 100 + Math.min(s, 200) + (s % 7));
  expect(memoryOf(seen)).toMatchObject({ begin_mb: 100, most_mb: 306, is_flat: true });
});

test("memory that grows all the time is not", () => {
  const { mb_per_minute, is_flat, samples_mb } = memoryOf(overMinutes(10, (s) => 100 + s / 10));
  expect([mb_per_minute, is_flat]).toEqual([6, false]);
  expect(samples_mb).toHaveLength(60);
});

test("of a short time nothing is said", () => {
  expect(memoryOf(overMinutes(1, () => 100)).is_flat).toBeUndefined();
});
