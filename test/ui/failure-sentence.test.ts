import { expect, test } from "vitest";
import type { JobView } from "#protocol/api.ts";
import { ERROR_TYPES } from "#protocol/failure.ts";
import { failureOf } from "../../control-plane/ui/failure-sentence.ts";
import { EMPTY_TIMELINE, extendTimeline } from "../../control-plane/ui/timeline.ts";
import { sampleLog } from "../support/sample-log.ts";

const START = "2026-03-01T12:00:00.000Z";
const aFailedJob = (overrides: Partial<JobView> = {}): JobView => ({
  id: 1,
  state: "Finished",
  health: "Incomplete",
  description: "smoke",
  device_type: "qemu",
  submitter: "alice",
  priority: 50,
  tags: [],
  submit_time: START,
  log_lines: 0,
  error_type: "Infrastructure",
  error_msg: "Connection closed",
  ...overrides,
});

test("a failed job tells the action, the reason and whose fault it is", () => {
  const timeline = extendTimeline(EMPTY_TIMELINE, sampleLog(START, { failure: true }));
  const failure = failureOf(aFailedJob(), timeline);
  expect(failure?.what).toBe("auto-login-action failed: Connection closed");
  expect(failure?.fault).toContain("the lab’s fault");
  expect(timeline.actions).toContain(failure?.action);
});

test("the action is not named twice", () => {
  const timeline = extendTimeline(EMPTY_TIMELINE, sampleLog(START, { failure: true }));
  const error_msg = "auto-login-action timed out after 120 seconds";
  expect(failureOf(aFailedJob({ error_msg }), timeline)?.what).toBe(error_msg);
});

test("every error type has its own words, and none at all is said", () => {
  const faults = ERROR_TYPES.map(
    (error_type) => failureOf(aFailedJob({ error_type }), EMPTY_TIMELINE)?.fault,
  );
  expect(new Set(faults).size).toBe(ERROR_TYPES.length);
  const { error_type: _, error_msg: __, ...bare } = aFailedJob();
  expect(failureOf(bare, EMPTY_TIMELINE)).toEqual({
    what: "no reason was given",
    fault: "whose fault it is is not known",
  });
});

test("a job that runs, was canceled or is Complete has no failure", () => {
  for (const overrides of [
    { state: "Running" },
    { health: "Canceled" },
    { health: "Complete" },
  ] as const) {
    expect(failureOf(aFailedJob(overrides), EMPTY_TIMELINE)).toBeUndefined();
  }
});
