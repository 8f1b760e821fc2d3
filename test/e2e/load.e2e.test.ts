import { expect, test } from "vitest";
import { runLoad } from "../../scripts/trials/load.ts";

test("a lab under load loses nothing: each job ends with all of its log and results, and all records agree", async () => {
  const report = await runLoad({
    ...{ engine: "embedded", seconds: 6, workers: 10, rate: 5 },
    ...{ followers: 5, readers: 4, jobMs: 300, say: () => {} },
  });
  expect(report).toMatchObject({ errors: {}, lost: [], violations: [] });
  expect(report.submitted).toBeGreaterThan(0);
  expect(report.finished).toBe(report.submitted);
  expect(Object.keys(report.latencies)).toEqual(
    expect.arrayContaining([
      "submit",
      "sync with news",
      "list of jobs",
      "first look at a log",
      "page of a job",
    ]),
  );
});
