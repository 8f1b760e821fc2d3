import { expect, test } from "vitest";
import { clockTime, timeoutSeconds } from "#protocol/timeouts.ts";

test("units of a timeout are added up, and an empty one is LAVA's default of 30 s", () => {
  expect(timeoutSeconds({ minutes: 5 })).toBe(300);
  expect(timeoutSeconds({ days: 1, hours: 1, minutes: 1, seconds: 1 })).toBe(90_061);
  expect(timeoutSeconds({})).toBe(30);
  expect(timeoutSeconds({ seconds: 0 })).toBe(30);
});

test("durations are written as LAVA writes them", () => {
  expect(clockTime(0)).toBe("00:00:00");
  expect(clockTime(3_725.9)).toBe("01:02:05");
  expect(clockTime(100 * 3600)).toBe("100:00:00");
});
