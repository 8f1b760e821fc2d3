import { cpus, release, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { numberOf, readCommandLine } from "../command-line.ts";
import { measureConsoleEngine } from "./console-engine.ts";
import { measureJob } from "./job.ts";
import { measureLambda } from "./lambda.ts";
import { measureLanguage } from "./language.ts";
import { measureMemory } from "./memory.ts";
import { measureTftp } from "./tftp.ts";
import { measureUboot } from "./uboot.ts";
import { measureWeb } from "./web.ts";

/** One figure: what it is and one value a run. */
export interface Row {
  name: string;
  unit: "ms" | "MiB" | "kB" | "MB" | "MB/s" | "lines/s" | "frames/s" | "lines/CPU s" | "%";
  values: number[];
}

interface Part {
  about: string;
  run(options: { runs: number }): Promise<Row[]>;
}

const parts: Record<string, Part> = {
  language: {
    about: "what it costs to validate a job and to render a device",
    run: measureLanguage,
  },
  job: {
    about: "a QEMU job's latencies: submission to runner start, end of test to Finished, overhead",
    run: measureJob,
  },
  lambda: {
    about: "cold starts of the cloud's function and the size of its code, on emulators",
    run: measureLambda,
  },
  tftp: {
    about: "the TFTP server beside tftpd-hpa in the same run: 64 MiB to a standard client",
    run: async () =>
      (await measureTftp()).flatMap(({ client, ours, theirs, ratio }) => [
        { name: `${client}: ours`, unit: "MB/s", values: [ours] },
        { name: `${client}: tftpd-hpa`, unit: "MB/s", values: [theirs] },
        { name: `${client}: ratio`, unit: "%", values: [Math.round(ratio * 100)] },
      ]),
  },
  uboot: {
    about: "what a U-Boot job with a ramdisk costs beyond the DUT's own time",
    run: measureUboot,
  },
  "console-engine": {
    about: "how fast a console is read with twenty patterns armed, and what the log costs",
    run: measureConsoleEngine,
  },
  web: {
    about: "what pages cost the server, and how soon a line of the DUT is seen in a browser",
    run: measureWeb,
  },
  memory: {
    about: "memory of the control plane idle, the agent idle, a runner during a job",
    run: measureMemory,
  },
};

const { values: options, positionals } = readCommandLine("bench", () =>
  parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      runs: { type: "string", default: "5" },
      help: { type: "boolean", short: "h", default: false },
    },
  }),
);
const unknown = positionals.filter((name) => name !== "all" && !(name in parts));
if (options.help || unknown.length) {
  if (unknown.length) console.error(`bench: no such part: ${unknown.join(", ")}`);
  console.log(usage());
  process.exit(unknown.length ? 2 : 0);
}

const runs = numberOf("bench", "runs", options.runs, 1);
const names = positionals.length && !positionals.includes("all") ? positionals : Object.keys(parts);
const machine = `${cpus().length} x ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node.js ${process.version}`;
const measured: Record<string, Measured[]> = {};
for (const name of names) {
  console.error(`Measuring ${name} ...`);
  const rows = (await parts[name]?.run({ runs })) ?? [];
  measured[name] = rows.map((row) => ({ name: row.name, unit: row.unit, ...summary(row.values) }));
}
console.log(
  options.json ? JSON.stringify({ machine, ...measured }, undefined, 2) : table(measured),
);

interface Summary {
  median: number;
  min: number;
  max: number;
  runs: number;
}
type Measured = Omit<Row, "values"> & Summary;

function summary(values: number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const at = (index: number): number => sorted[index] ?? NaN;
  const median = sorted.length % 2 ? at(middle) : (at(middle - 1) + at(middle)) / 2;
  return { median, min: at(0), max: at(sorted.length - 1), runs: sorted.length };
}

function table(all: Record<string, Measured[]>): string {
  const rows = Object.entries(all).flatMap(([part, list]) =>
    list.map((row) => [part, row] as const),
  );
  const lines = rows.map(([part, row]) => {
    const figure = (n: number): string =>
      (row.unit === "ms" ? n.toFixed(n < 10 ? 2 : 0) : n.toFixed(1)).padStart(8);
    return `${part.padEnd(14)} ${row.name.padEnd(48)} ${figure(row.median)} ${figure(row.min)} ${figure(row.max)}  ${row.unit.padEnd(4)} ${String(row.runs).padStart(4)}`;
  });
  const head = `${"part".padEnd(14)} ${"figure".padEnd(48)}   median      min      max  unit runs`;
  return [machine, "", head, ...lines].join("\n");
}

function usage(): string {
  const list = Object.entries(parts).map(([name, part]) => `  ${name.padEnd(8)} ${part.about}`);
  const noise =
    "  console  what noise on the line does to results; by itself: scripts/bench console --help";
  const scale =
    "  scale    what each event costs in labs of growing size; by itself: scripts/bench scale --help";
  const worker =
    "  worker   size, start, memory, idle CPU and throughput of the single files; by itself: scripts/bench worker --help";
  return [
    "usage: scripts/bench [NAME ...|all] [--json] [--runs N]",
    "",
    ...list,
    noise,
    scale,
    worker,
    "  lists    how long REST lists take that look through a million jobs; by itself: scripts/bench lists --help",
    "  --against-lava: the same work on a LAVA beside it, with ratios; by itself: scripts/bench --against-lava --help",
    "",
    "Exit code 0: measured; 1: something could not be; 2: it can't be run so.",
  ].join("\n");
}
