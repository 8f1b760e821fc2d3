import { spawnSync } from "node:child_process";
import { cpus, loadavg, release, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { readCommandLine } from "../command-line.ts";
import { floodOf, type Flood } from "./worker-flood.ts";
import {
  busyOf,
  idleOf,
  sizeOf,
  startOf,
  type Busy,
  type Idle,
  type Size,
} from "./worker-figures.ts";
import { serialOf, type SerialLoad } from "./worker-serial.ts";
import { summary, type Summary } from "./summary.ts";
import { FILES, onNode, singleFile, type FileName, type Subject } from "./worker-subject.ts";
import { judge, table } from "./worker-report.ts";

const HELP = `usage: scripts/bench worker [--files x64,armv7,arm64] [--folder DIR] [--node] [--quick] [--json]

Size, start, memory, idle CPU and throughput of the worker's single files, side by side; a real agent with real
runners at a real control plane, on loopback. Exits 1 when a line of a console was lost, doubled or moved.
  --files   which of them; default all that scripts/build has left in dist/. Those for other processors run in
            qemu-user: that they work is shown, how fast and how large they are is not
  --folder  where they are, if not in dist/
  --node    the bundle on Node.js as well, for comparison
  --quick   shorter: idle for 10 s, 20,000 lines
  --json    for programs; bytes, MB of 10^6 bytes, ms, seconds`;

/** What `scripts/bench worker` measures of one form of the worker. */
export interface WorkerFigures {
  readonly comparable: boolean;
  readonly size: Size;
  readonly start: { warm_ms: Spread; cold_ms: Spread; cpu_ms: Spread };
  readonly idle: Idle;
  readonly jobs: Readonly<Record<"1" | "3", Busy>>;
  readonly serial: SerialLoad;
  readonly console: Flood;
}
type Spread = Summary;

const { values: options } = readCommandLine("bench worker", () =>
  parseArgs({
    options: {
      files: { type: "string" },
      folder: { type: "string" },
      node: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  }),
);
if (options.help) {
  console.log(HELP);
  process.exit(0);
}
const workers: Record<string, WorkerFigures> = {};
const loadBefore = loadavg()[0] ?? NaN;
for (const subject of subjects()) workers[subject.name] = await measured(subject, options.quick);
const machine = `${cpus().length} x ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`;
const load = { before: loadBefore, after: loadavg()[0] ?? NaN };
const targets = judge(workers["linux-x64"]);
const report = { machine, load, workers, targets };
console.log(options.json ? JSON.stringify(report, undefined, 2) : table(report));
const isWhole = Object.values(workers).every(
  ({ console: { lost, doubled, disordered } }) => lost + doubled + disordered === 0,
);
process.exitCode = isWhole ? 0 : 1;

function subjects(): Subject[] {
  const files = options.files?.split(",").map(fileCalled) ?? FILES;
  const found = files.flatMap((name) => {
    try {
      return [singleFile(name, options.folder)];
    } catch (error) {
      if (options.files !== undefined) throw error;
      console.error((error as Error).message);
      return [];
    }
  });
  return options.node ? [...found, onNode()] : found;
}

function fileCalled(name: string): FileName {
  const file = FILES.find((one) => one === name);
  if (!file) throw new Error(`--files ${name}: expected ${FILES.join(", ")}`);
  return file;
}

async function measured(subject: Subject, isQuick: boolean): Promise<WorkerFigures> {
  const say = (what: string): void => console.error(`${subject.name}: ${what} ...`);
  const [program, ...args] = subject.command;
  const { status, stderr } = spawnSync(program, [...args, "--version"], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${subject.command.join(" ")} does not run: ${stderr}`);
  say("size");
  const size = await sizeOf(subject);
  say("start to the first sync");
  const { warm_ms, cold_ms, cpu_ms } = await startOf(subject, isQuick ? 3 : 11);
  say("console to control plane");
  const flood = await floodOf(subject, isQuick ? 20_000 : 300_000);
  say("jobs");
  const jobs = { 1: await busyOf(subject, 1), 3: await busyOf(subject, 3) };
  say("a serial line");
  const serial = await serialOf(subject, isQuick ? 5 : 20);
  say("idle");
  const idle = await idleOf(subject, isQuick ? 10 : 110);
  return {
    comparable: subject.isComparable,
    size,
    start: { warm_ms: summary(warm_ms), cold_ms: summary(cold_ms), cpu_ms: summary(cpu_ms) },
    idle,
    jobs,
    serial,
    console: flood,
  };
}
