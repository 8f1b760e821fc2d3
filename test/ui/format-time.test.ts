import { expect, test } from "vitest";
import { formatAgo, formatDuration } from "../../control-plane/ui/format-time.ts";

test.each([
  [-5, "0 s"],
  [0, "0 s"],
  [123, "0.12 s"],
  [4321, "4.3 s"],
  [9999, "10.0 s"],
  [59_700, "1 min 00 s"],
  [185_000, "3 min 05 s"],
  [3_599_900, "1 h 00 min"],
  [7_800_000, "2 h 10 min"],
  [86_399_000, "1 d 0 h"],
  [97 * 3_600_000, "4 d 1 h"],
])("%d ms are %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test.each([
  [0, "just now"],
  [-90, "just now"],
  [42, "42 s ago"],
  [600, "10 min ago"],
  [7200, "2 h ago"],
  [3 * 86_400, "3 d ago"],
  [90 * 86_400, "2025-12-01"],
])("%d s before now is %s", (seconds, text) => {
  const now = Date.parse("2026-03-01T12:00:00Z");
  expect(formatAgo(new Date(now - seconds * 1000).toISOString(), now)).toBe(text);
});
