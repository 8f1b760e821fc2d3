import { parseArgs } from "node:util";
import { numberOf, readCommandLine, refuse } from "../command-line.ts";
import { measureConsoleEngine } from "./console-engine.ts";
import { measureLambda } from "./lambda.ts";
import { measureLanguage } from "./language.ts";
import { described, machine } from "./machine.ts";
import { NAMED, namedParts, type NamedPart } from "./part-names.ts";
import { summary, type Summary } from "./summary.ts";
import { measureTftp } from "./tftp.ts";
import { measureUboot } from "./uboot.ts";
import { measureWeb } from "./web.ts";

/** One figure: what it is and one value a run. */
export interface Row {
  name: string;
  unit: "ms" | "MiB" | "kB" | "MB" | "MB/s" | "lines/s" | "frames/s" | "lines/CPU s" | "%";
  values: number[];
}

const parts: Record<NamedPart, (options: { runs: number }) => Promise<Row[]>> = {
  language: measureLanguage,
  lambda: measureLambda,
  tftp: async () =>
    (await measureTftp()).flatMap(({ client, ours, theirs, ratio }) => [
      { name: `${client}: ours`, unit: "MB/s", values: [ours] },
      { name: `${client}: tftpd-hpa`, unit: "MB/s", values: [theirs] },
      { name: `${client}: ratio`, unit: "%", values: [Math.round(ratio * 100)] },
    ]),
  uboot: measureUboot,
  "console-engine": measureConsoleEngine,
  web: measureWeb,
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
if (options.help) {
  console.log(
    `${namedParts()}\n\nExit code 0: measured; 1: something could not be; 2: it can't be run so.`,
  );
  process.exit(0);
}
const isNamed = (name: string): name is NamedPart => name in NAMED;
const unknown = positionals.filter((name) => !isNamed(name));
if (unknown.length > 0) refuse("bench", `no such part: ${unknown.join(", ")}`);

const runs = numberOf("bench", "runs", options.runs, 1);
const facts = machine();
const measured: Record<string, Measured[]> = {};
for (const name of positionals.filter(isNamed)) {
  console.error(`Measuring ${name} ...`);
  const rows = await parts[name]({ runs });
  measured[name] = rows.map((row) => ({ name: row.name, unit: row.unit, ...summary(row.values) }));
}
console.log(
  options.json
    ? JSON.stringify({ machine: facts, ...measured }, undefined, 2)
    : `${described(facts)}\n\n${table(measured)}`,
);

type Measured = Omit<Row, "values"> & Summary;

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
  return [head, ...lines].join("\n");
}
