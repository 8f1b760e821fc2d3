import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { numberOf, readCommandLine, refuse } from "../command-line.ts";
import { runChaos, type ChaosReport } from "./chaos.ts";

const HELP = `usage: scripts/chaos [--minutes N] [--seed N] [--engine embedded|aws] [--workers N] [--guests N] [--json]

A real lab, pumice serve with agents, runners and boards, of which something breaks every few seconds while jobs are submitted:
kill -9 of the server, of agents and of runners, power loss of a whole machine, boards that reset, networks that are cut, hang, are half
open, lose packets or are slow (as root each worker has a network namespace of its own; else through a proxy, which loses none), full
disks (as root), clocks that jump (with Debian's package faketime), jobs that are canceled; on AWS's emulators functions that are killed
and services that throttle, fail or lose answers. Then all is mended. Once the lab is at rest, every job is accounted
for, with each line of its log and each result once, all records are checked (pumice check-lab), and what is left over is looked for.

  --minutes N      how long it is broken; 30
  --seed N         the same faults and jobs in the same order; drawn when it is not given, and printed
  --engine NAME    embedded or aws; embedded
  --workers N      each with two boards that are programs; 3
  --guests N       QEMU guests beside them; 2
  --json           the report as JSON

Exit code 0: all has healed; 1: something was lost, is stuck, was left over, or does not agree; 2: it can't be run so.`;

const { values } = readCommandLine("chaos", () =>
  parseArgs({
    options: {
      minutes: { type: "string", default: "30" },
      seed: { type: "string", default: String(Math.floor(Math.random() * 1e9)) },
      engine: { type: "string", default: "embedded" },
      workers: { type: "string", default: "3" },
      guests: { type: "string", default: "2" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  }),
);
const { engine } = values;
if (values.help) console.log(HELP);
else if (engine !== "embedded" && engine !== "aws") {
  refuse("chaos", `--engine ${engine}: expected embedded or aws`);
} else {
  const load = loadavg()[0]!.toFixed(1);
  const [seed, minutes, workers, guests] = (["seed", "minutes", "workers", "guests"] as const).map(
    (name) => numberOf("chaos", name, values[name]),
  ) as [number, number, number, number];
  console.error(`seed ${seed}`);
  const report = await runChaos({
    ...{ engine, seed, seconds: minutes * 60, workers, guests },
    say: (line) => console.error(line),
  });
  if (values.json) console.log(JSON.stringify(report, undefined, 2));
  else print(report, load);
  const { wrong, violations, leaks } = report;
  if (wrong.length + violations.length + leaks.length > 0) {
    process.exitCode = 1;
    console.error(
      `again: scripts/chaos --seed ${seed} --minutes ${values.minutes} --engine ${engine} --workers ${values.workers} --guests ${values.guests}`,
    );
  }
}

function print(report: ChaosReport, load: string): void {
  const { faults, ends, wrong, violations, leaks, left_out } = report;
  const ended = Object.entries(ends).map(([end, count]) => `${count} ${end}`);
  const kinds = new Map<string, number>();
  for (const { name } of faults) {
    const kind = name.replace(/ (of )?worker-\d+/, "");
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  const lines = [
    `seed ${report.seed}, ${report.engine}, ${report.seconds} s: ${faults.length} faults, ${report.submitted} jobs (machine's load before: ${load})`,
    `jobs: ${ended.join(", ")}`,
    `faults: ${[...kinds].map(([kind, count]) => `${count} × ${kind}`).join(", ")}`,
    ...left_out.map((one) => `left out: ${one}`),
    ...some("wrong", wrong),
    ...some(
      "violations",
      violations.map(({ rule, what, text }) => `${rule}: ${what}: ${text}`),
    ),
    ...some("left over", leaks),
  ];
  console.log(lines.join("\n"));
}

function some(what: string, list: readonly string[]): string[] {
  return [`${what}: ${list.length}`, ...list.map((line) => `  ${line}`)];
}
