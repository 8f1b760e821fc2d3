import { expect, test } from "vitest";
import { isLaterJobState, JOB_STATES } from "#protocol/states.ts";

test("a job's state only goes forward, and staying is no step", () => {
  for (const [at, from] of JOB_STATES.entries()) {
    for (const [after, to] of JOB_STATES.entries())
      expect(isLaterJobState(from, to)).toBe(after > at);
  }
});
