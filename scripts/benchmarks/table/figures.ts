import { summary, type Summary } from "../summary.ts";
import type { Side } from "./sides.ts";

interface Kind {
  readonly about: string;
  readonly unit: string;
  readonly better: "less" | "more";
  /** How many times better than LAVA is wanted (issue 11); 1 where nothing is said: not worse. */
  readonly target?: number;
  /** Neither's merit: the DUT's own. */
  readonly isGiven?: true;
}

const TUNED = "LAVA tuned to 1 s";
const less = (about: string, unit: string, target?: number): Kind => ({
  about,
  unit,
  better: "less",
  ...(target === undefined ? {} : { target }),
});
const more = (about: string, unit: string, target?: number): Kind => ({
  ...less(about, unit, target),
  better: "more",
});

/** All that is measured, in the order of the table. */
export const KINDS = {
  runner_start: less(`trivial job, submitted to the runner's first line; ${TUNED}`, "ms"),
  turnaround: less("the same, submitted to Finished", "ms", 10),
  turnaround_packaged: less("the same; LAVA as packaged", "ms"),
  job_end: less("the same, the runner's last line to Finished", "ms"),
  job_cpu: less("the same, CPU at the worker, its DUT's included", "ms"),
  job_cpu_server: less("the same, CPU at the server", "ms"),
  qemu: less(`QEMU job, submitted to Finished; ${TUNED}`, "ms"),
  overhead: less("of that beyond the guest's own time", "ms"),
  qemu_cpu_server: less("the same job, CPU: server", "ms"),
  qemu_cpu_agent: less("agent", "ms"),
  qemu_cpu_runner: less("runner and what it calls", "ms"),
  qemu_cpu_dut: { ...less("DUT (QEMU)", "ms"), isGiven: true },
  submits: more("submissions by REST, 1 client", "/s", 20),
  submits_p99: less("the same, 99th percentile", "ms"),
  submits_cpu: less("the same, CPU of one at the server", "ms"),
  submits_8: more("submissions by REST, 8 clients", "/s", 20),
  submits_8_p99: less("the same, 99th percentile", "ms"),
  submits_xmlrpc: more("submissions by XML-RPC, 1 client", "/s", 20),
  submits_xmlrpc_p99: less("the same, 99th percentile", "ms"),
  list: less("list of 50 jobs", "ms", 10),
  list_cpu: less("the same, CPU at the server", "ms"),
  detail: less("one job", "ms", 10),
  detail_cpu: less("the same, CPU at the server", "ms"),
  page: less("a job's page, log of 700 lines", "ms"),
  page_cpu: less("the same, CPU at the server", "ms"),
  intake: more("log lines taken in by the server, 1 sender", "lines/s"),
  intake_cpu: less("the same, CPU of a line at the server", "us"),
  console: more("console lines, DUT to the server's log", "lines/s", 50),
  console_cpu: less("the same, CPU of a line at the worker", "us"),
  server_memory: less("memory: server, all services, idle", "MiB PSS", 5),
  server_memory_after: less("the same after all of this", "MiB PSS"),
  worker_memory: less("memory as on a board of its own: agent, idle", "MiB"),
  job_memory: less("agent and runner of a QEMU job, the most", "MiB"),
  runner_memory: less("the runner alone", "MiB"),
  dut_memory: { ...less("DUT (QEMU)", "MiB"), isGiven: true },
  install_size: less("server and worker, installed", "MB"),
  install_packages: less("the same, packages beyond the base system", ""),
  first_job: less("nothing set up to the first green QEMU job, packages there", "s"),
  first_job_commands: less("the same, commands", ""),
} as const satisfies Record<string, Kind>;

export type Name = keyof typeof KINDS;
type SideName = Side["name"];

/** What was measured, a value a run. */
export class Figures {
  readonly #values = new Map<Name, Partial<Record<SideName, number[]>>>();

  /** No number: of a job in whose log the line that it is reckoned by was lost, as a LAVA loses some. */
  note(name: Name, side: SideName, value: number): void {
    if (Number.isNaN(value)) return;
    const values = this.#values.get(name) ?? {};
    (values[side] ??= []).push(value);
    this.#values.set(name, values);
  }

  /** The JSON that programs read: a ratio is how many times better Pumice is, by medians. Without a LAVA there are none. */
  report(): Report {
    const ratios: Record<string, number> = {};
    const pumice: Report["pumice"] = {};
    const lava: NonNullable<Report["lava"]> = {};
    for (const name of Object.keys(KINDS) as Name[]) {
      const values = this.#values.get(name);
      if (!values?.pumice) continue;
      const { unit, better } = KINDS[name];
      const ours = (pumice[name] = { unit, ...rounded(summary(values.pumice)) });
      if (!values.lava) continue;
      const theirs = (lava[name] = { unit, ...rounded(summary(values.lava)) });
      const ratio = better === "less" ? theirs.median / ours.median : ours.median / theirs.median;
      ratios[name] = Number(ratio.toPrecision(3));
    }
    return Object.keys(ratios).length > 0 ? { ratios, pumice, lava } : { pumice };
  }
}

type Figure = Summary & { readonly unit: string };
export interface Report {
  readonly ratios?: Record<string, number>;
  readonly pumice: Partial<Record<Name, Figure>>;
  readonly lava?: Partial<Record<Name, Figure>>;
}

function rounded({ median, min, max, runs }: Summary): Summary {
  const four = (value: number): number => Number(value.toPrecision(4));
  return { median: four(median), min: four(min), max: four(max), runs };
}

const number = (value: number): string =>
  value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
const spread = ({ median, min, max, runs }: Figure): string =>
  runs > 1 ? `${number(median)} (${number(min)} to ${number(max)})` : number(median);

/** For people: a line a figure, and which target is missed. */
export function table({ ratios, pumice, lava }: Report): string {
  const row = (about: string, ours: string, theirs: string, ratio: string): string =>
    lava
      ? `${about.padEnd(74)} ${ours.padStart(24)} ${theirs.padStart(24)} ${ratio}`
      : `${about.padEnd(74)} ${ours.padStart(24)}`;
  const lines = (Object.keys(pumice) as Name[]).map((name) => {
    const { about, unit, target = 1, isGiven }: Kind = KINDS[name];
    const [ours, theirs, ratio] = [pumice[name]!, lava?.[name], ratios?.[name]];
    const isMissed = ratio !== undefined && ratio < target && !isGiven;
    const verdict = isMissed ? `  below its target of ${target}` : "";
    const words = lava ? about : about.replace(/; LAVA .*/, "");
    return row(
      `${words}${unit ? `, ${unit}` : ""}`,
      spread(ours),
      theirs ? spread(theirs) : "",
      ratio === undefined ? "" : `${number(ratio).padStart(7)}${verdict}`,
    ).trimEnd();
  });
  return [row("median (least to most)", "Pumice", "LAVA", "  ratio"), ...lines].join("\n");
}
