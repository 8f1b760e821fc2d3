import type { WorkerFigures } from "./worker-main.ts";

export interface Verdict {
  readonly figure: string;
  readonly value: number;
  readonly target: string;
  readonly met: boolean;
}

/** The targets, which are for x64 (nothing when it was not measured). */
export function judge(x64: WorkerFigures | undefined): Verdict[] {
  if (!x64) return [];
  const { size, start, idle, jobs, console } = x64;
  const most = (figure: string, value: number, limit: number): Verdict => ({
    figure,
    value,
    target: `< ${limit}`,
    met: value < limit,
  });
  return [
    most("compressed (xz), MB", size.xz_bytes / 1e6, 40),
    most("start to first sync, ms", start.warm_ms.median, 150),
    most("idle, anonymous MB", idle.anonymous_mb, 25),
    most("each running job, anonymous MB", jobs["1"].per_job.anonymous_mb, 40),
    most("idle, CPU seconds an hour", idle.cpu_seconds_per_hour, 3),
    {
      figure: "console lines/s at the control plane",
      value: console.lines_per_second,
      target: ">= 20000",
      met: console.lines_per_second >= 20_000,
    },
    most("console lines lost, doubled or moved", wrongLines(x64), 1),
  ];
}

const wrongLines = ({ console: { lost, doubled, disordered } }: WorkerFigures): number =>
  lost + doubled + disordered;

/** One column for each form of the worker, then the targets. */
export function table(report: {
  machine: string;
  load: { before: number; after: number };
  workers: Readonly<Record<string, WorkerFigures>>;
  targets: readonly Verdict[];
}): string {
  const { machine, load, workers, targets } = report;
  const names = Object.keys(workers);
  const row = (name: string, cells: readonly string[]): string =>
    name.padEnd(52) + cells.map((cell) => cell.padStart(24)).join("");
  const rows = ROWS.map(([name, of, needsOwn]) =>
    row(
      name,
      Object.values(workers).map((one) =>
        needsOwn && !one.comparable ? "not comparable" : of(one),
      ),
    ),
  );
  const verdicts = targets.map(
    ({ figure, value, target, met }) =>
      `${met ? "met   " : "MISSED"} ${figure.padEnd(40)} ${short(value).padStart(10)}  target ${target}`,
  );
  const state = `${machine}; load ${load.before.toFixed(1)} before, ${load.after.toFixed(1)} after`;
  return [state, "", row("", names), ...rows, "", ...verdicts].join("\n");
}

const short = (value: number): string =>
  value >= 1000 ? Math.round(value).toLocaleString("en") : value.toFixed(value < 10 ? 2 : 1);
const three = (...values: number[]): string => values.map(short).join(" / ");

/** Name, value, and whether it says nothing in an emulator. */
const ROWS: [string, (figures: WorkerFigures) => string, boolean][] = [
  [
    "size / xz / zstd -19, MB",
    ({ size: s }) => three(...[s.bytes, s.xz_bytes, s.zstd_bytes].map((n) => n / 1e6)),
    false,
  ],
  [
    "start to first sync, warm / cold, ms",
    ({ start: s }) => three(s.warm_ms.median, s.cold_ms.median),
    true,
  ],
  ["    fastest / its CPU, ms", ({ start: s }) => three(s.warm_ms.min, s.cpu_ms.median), true],
  [
    "idle: anonymous / PSS / RSS, MB",
    ({ idle: i }) => three(i.anonymous_mb, i.pss_mb, i.rss_mb),
    true,
  ],
  [
    "idle: CPU seconds an hour / wakes a minute",
    ({ idle: i }) => three(i.cpu_seconds_per_hour, i.wakes_per_minute),
    true,
  ],
  ["1 job: + anonymous / PSS / RSS, MB", ({ jobs: j }) => perJob(j["1"]), true],
  ["3 jobs: + of each", ({ jobs: j }) => perJob(j["3"]), true],
  [
    "a DUT that says 20 lines a second: CPU %",
    ({ jobs: j }) => three(j["1"].cpu_percent, j["3"].cpu_percent / 3),
    true,
  ],
  [
    "115200 baud without a pause: runner / agent, CPU %",
    ({ serial: s }) => three(s.runner_cpu_percent, s.agent_cpu_percent),
    true,
  ],
  ["console to control plane, lines/s", ({ console: c }) => three(c.lines_per_second), true],
  [
    "    lines / lost / doubled / moved",
    ({ console: c }) => [c.lines, c.lost, c.doubled, c.disordered].join(" / "),
    false,
  ],
  [
    "    CPU a line: agent / runner, us",
    ({ console: c }) => three(c.agent_cpu_us_per_line, c.runner_cpu_us_per_line),
    true,
  ],
  [
    "    anonymous then: agent / runner, MB",
    ({ console: c }) => three(c.agent_anonymous_mb, c.runner_anonymous_mb),
    true,
  ],
];

function perJob({ per_job: m }: WorkerFigures["jobs"]["1"]): string {
  return three(m.anonymous_mb, m.pss_mb, m.rss_mb);
}
