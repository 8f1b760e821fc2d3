import { expect, test } from "vitest";
import { summary } from "../../scripts/benchmarks/summary.ts";
import type { WorkerFigures } from "../../scripts/benchmarks/worker-main.ts";
import { judge, table } from "../../scripts/benchmarks/worker-report.ts";

const memory = { anonymous_mb: 8, rss_mb: 50, pss_mb: 45 };
const busy = { total: memory, per_job: memory, cpu_percent: 2 };
const figures: WorkerFigures = {
  comparable: true,
  size: { bytes: 110e6, xz_bytes: 39e6, zstd_bytes: 41e6 },
  start: { warm_ms: summary([90, 70, 80]), cold_ms: summary([200]), cpu_ms: summary([30, 31]) },
  idle: { ...memory, cpu_seconds_per_hour: 1, wakes_per_minute: 200, measured_seconds: 110 },
  jobs: { 1: busy, 3: busy },
  serial: { baud: 115_200, lines_per_second: 150, runner_cpu_percent: 3, agent_cpu_percent: 1 },
  console: {
    lines: 300_000,
    seconds: 6,
    lines_per_second: 50_000,
    lost: 0,
    doubled: 0,
    disordered: 0,
    agent_cpu_us_per_line: 1.5,
    runner_cpu_us_per_line: 3,
    agent_anonymous_mb: 28,
    runner_anonymous_mb: 60,
  },
};
const missed = (one: WorkerFigures): string[] =>
  judge(one).flatMap(({ figure, met }) => (met ? [] : [figure]));

test("each target of the x64 file is judged by its own figure", () => {
  expect(missed(figures)).toEqual([]);
  expect(judge(figures)).toHaveLength(7);
  expect(missed({ ...figures, size: { ...figures.size, xz_bytes: 40e6 } })).toEqual([
    "compressed (xz), MB",
  ]);
  const { console } = figures;
  expect(missed({ ...figures, console: { ...console, lines_per_second: 19_999 } })).toEqual([
    "console lines/s at the control plane",
  ]);
  for (const kind of ["lost", "doubled", "disordered"]) {
    expect(missed({ ...figures, console: { ...console, [kind]: 1 } })).toEqual([
      "console lines lost, doubled or moved",
    ]);
  }
});

test("nothing is judged when the x64 file was not measured", () => {
  expect(judge(undefined)).toEqual([]);
});

test("what an emulator says of speed and memory is not shown beside what a machine says", () => {
  const workers = { "linux-x64": figures, "linux-arm64": { ...figures, comparable: false } };
  const load = { before: 0, after: 1 };
  const lines = table({ machine: "m", load, workers, targets: [] }).split("\n");
  const row = (name: string): string | undefined => lines.find((line) => line.startsWith(name));
  expect(row("size")).not.toContain("not comparable");
  expect(row("start to first sync")).toMatch(/80\.0 \/ 200\.0 +not comparable$/);
  expect(row("idle: anonymous")).toMatch(/not comparable$/);
  expect(row("    lines / lost")?.match(/300000 \/ 0 \/ 0 \/ 0/g)).toHaveLength(2);
});

test("a summary has the median of an even number of runs between the two in the middle", () => {
  expect(summary([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4, runs: 4 });
});
