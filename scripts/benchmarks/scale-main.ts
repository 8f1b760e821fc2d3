import { parseArgs } from "node:util";
import { readCommandLine } from "../command-line.ts";
import { scaleOnDynamoDb, scaleOnSqlite, type Cost } from "./scale.ts";
import type { Size } from "./scale-lab.ts";

/** From the smallest to the largest; DynamoDB's emulator takes ten minutes for the last. */
const SIZES: Size[] = [
  { workers: 10, devices: 100, jobs: 1000 },
  { workers: 1000, devices: 10_000, jobs: 100_000 },
  { workers: 10_000, devices: 100_000, jobs: 1_000_000 },
];
/** What "flat" means: the largest lab pays at most this much more than the smallest. */
const FLAT = 1.2;

const engines = {
  SQLite: { run: scaleOnSqlite, reads: "items read", writes: "items written" },
  DynamoDB: { run: scaleOnDynamoDb, reads: "read units", writes: "write units" },
} as const;

const { values: options } = readCommandLine("bench scale", () =>
  parseArgs({
    options: {
      json: { type: "boolean", default: false },
      full: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  }),
);
if (options.help) {
  console.log(`usage: scripts/bench scale [--quick|--full] [--json]

What each event costs in labs of growing size, on SQLite and on DynamoDB's emulator.
  --quick  two small labs: half a minute
  --full   a million queued jobs on the emulator too: a quarter of an hour and 12 GiB of memory`);
  process.exit(0);
}

const sizesOf = (name: string): Size[] => {
  if (options.quick) return [SIZES[0]!, { workers: 100, devices: 1000, jobs: 5000 }];
  return name === "DynamoDB" && !options.full ? SIZES.slice(0, 2) : SIZES;
};
const report: Record<string, { size: Size; costs: Record<string, Cost> }[]> = {};
let isFlat = true;
for (const [name, engine] of Object.entries(engines)) {
  const measured = (report[name] = [] as { size: Size; costs: Record<string, Cost> }[]);
  for (const size of sizesOf(name)) {
    console.error(`${name}: ${sizeOf(size)} ...`);
    measured.push({ size, costs: await engine.run(size) });
  }
  if (!options.json) printTable(name, engine, measured);
}
if (options.json) console.log(JSON.stringify({ flat: isFlat, ...report }, undefined, 2));
process.exitCode = isFlat ? 0 : 1;

function printTable(
  name: string,
  units: { reads: string; writes: string },
  measured: { size: Size; costs: Record<string, Cost> }[],
): void {
  console.log(`\n${name}: requests / ${units.reads} / ${units.writes}`);
  const columns = measured.map(({ size }) => sizeOf(size).padStart(38)).join("");
  console.log(`${"".padEnd(42)}${columns}   largest to smallest`);
  for (const event of Object.keys(measured[0]?.costs ?? {})) {
    const costs = measured.map((one) => one.costs[event]!);
    const ratio = ratioOf(costs[0]!, costs.at(-1)!);
    if (ratio > FLAT) isFlat = false;
    const cells = costs.map(({ requests, reads, writes }) =>
      `${requests} / ${reads} / ${writes}`.padStart(38),
    );
    console.log(
      `${event.padEnd(42)}${cells.join("")}   ${ratio.toFixed(2)}${ratio > FLAT ? "  GROWS" : ""}`,
    );
  }
}

/** The worst of requests, reads and writes. */
function ratioOf(small: Cost, large: Cost): number {
  const ratios = (["requests", "reads", "writes"] as const).map((kind) =>
    large[kind] === small[kind] ? 1 : large[kind] / Math.max(1, small[kind]),
  );
  return Math.max(...ratios);
}

function sizeOf({ workers, devices, jobs }: Size): string {
  const text = (n: number): string => n.toLocaleString("en");
  return `${text(workers)} workers, ${text(devices)} devices, ${text(jobs)} jobs`;
}
