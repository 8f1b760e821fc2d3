import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { numberOf, readCommandLine, refuse } from "../command-line.ts";
import { runLoad, type LoadReport } from "./load.ts";
import { LEAST_SECONDS, MOST_MB_PER_MINUTE, type Memory } from "./memory.ts";

const HELP = `usage: scripts/load [--minutes N] [--workers N] [--rate N] [--followers N] [--readers N] [--job-seconds N]
                    [--engine embedded|aws] [--json]

A lab under load: the real control plane as a program, workers that speak the real protocol over HTTP (the agent's own loop, many
in this process), jobs submitted at a rate, readers of lists, jobs, results, logs and of their pages, and followers of running jobs' logs.
Afterwards every job is counted, all records are checked (pumice check-lab), and the server's memory of five minutes or more is to be flat.

  --minutes N      how long jobs are submitted; 10
  --workers N      each with one device; 1000
  --rate N         jobs a second; 100
  --followers N    who follow a running job's log each; 200
  --readers N      who look at something each second; 20
  --job-seconds N  how long a job takes; 5
  --engine NAME    embedded: pumice serve. aws: the Lambda functions on emulators, which are slow: begin with --rate 2
  --json           the report as JSON

Exit code 0: nothing was lost; 1: there was an error, a lost record, a violation, or memory that grows; 2: it can't be run so.`;

const { values } = readCommandLine("load", () =>
  parseArgs({
    options: {
      minutes: { type: "string", default: "10" },
      workers: { type: "string", default: "1000" },
      rate: { type: "string", default: "100" },
      followers: { type: "string", default: "200" },
      readers: { type: "string", default: "20" },
      "job-seconds": { type: "string", default: "5" },
      engine: { type: "string", default: "embedded" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  }),
);
const { engine } = values;
if (values.help) console.log(HELP);
else if (engine !== "embedded" && engine !== "aws") {
  refuse("load", `--engine ${engine}: expected embedded or aws`);
} else {
  const load = loadavg()[0]!.toFixed(1);
  const report = await runLoad({
    engine,
    seconds: positive("minutes") * 60,
    workers: positive("workers"),
    rate: positive("rate"),
    followers: positive("followers"),
    readers: positive("readers"),
    jobMs: positive("job-seconds") * 1000,
    say: (line) => console.error(line),
  });
  if (values.json)
    console.log(JSON.stringify({ load_before: Number(load), ...report }, undefined, 2));
  else print(report, load);
  const { errors, lost, violations, memory } = report;
  const isWhole = Object.keys(errors).length + lost.length + violations.length === 0;
  process.exitCode = isWhole && memory?.is_flat !== false ? 0 : 1;
}

function positive(name: Exclude<keyof typeof values, "json" | "help">): number {
  return numberOf("load", name, values[name]);
}

function print(report: LoadReport, load: string): void {
  const { memory, cpu_ms_per_job: cpu, trial_cpu_ms_per_job: own } = report;
  const lines = [
    `${report.submitted} jobs in ${report.seconds} s: ${report.rate} a second, ${report.finished} ended (machine's load before: ${load})`,
    "",
    `${"".padEnd(22)}${["count", "p50 ms", "p99 ms", "max ms"].map((one) => one.padStart(10)).join("")}`,
    ...Object.entries(report.latencies).map(
      ([name, { count, p50_ms, p99_ms, max_ms }]) =>
        name.padEnd(22) +
        [count, p50_ms, p99_ms, max_ms].map((n) => String(n).padStart(10)).join(""),
    ),
    "",
    ...(memory ? textOf(memory) : []),
    ...(cpu === undefined ? [] : [`server: ${cpu} ms of CPU a job, with all that read`]),
    `this program: ${own} ms of CPU a job`,
    ...some(
      "errors",
      Object.entries(report.errors).map(([what, count]) => `${count} × ${what}`),
    ),
    ...some("lost records", report.lost),
    ...some(
      "violations",
      report.violations.map(({ rule, what, text }) => `${rule}: ${what}: ${text}`),
    ),
  ];
  console.log(lines.join("\n"));
}

function some(what: string, list: readonly string[]): string[] {
  const MOST_PRINTED = 20;
  return [`${what}: ${list.length}`, ...list.slice(0, MOST_PRINTED).map((line) => `  ${line}`)];
}

function textOf({
  begin_mb,
  end_mb,
  most_mb,
  mb_per_minute,
  samples_mb,
  is_flat,
}: Memory): string[] {
  const verdict = is_flat ? "flat" : "NOT flat";
  const unknown = `under ${LEAST_SECONDS / 60} minutes nothing follows from that`;
  return [
    `server: ${begin_mb} MB at first, ${end_mb} MB in the end, ${most_mb} MB at most`,
    `each 10 s: ${samples_mb.map(Math.round).join(" ")}`,
    `second half: ${mb_per_minute} MB a minute, of ${MOST_MB_PER_MINUTE} at most: ${is_flat === undefined ? unknown : verdict}`,
  ];
}
