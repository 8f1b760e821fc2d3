import type { Side } from "./sides.ts";

interface Kind {
  readonly about: string;
  readonly unit: string;
  readonly better: "less" | "more";
  /** How many times better than LAVA is wanted (issue 11); 1 where nothing is said: not worse. */
  readonly target?: number;
}

/** All that is measured of both, in the order of the table. */
export const KINDS = {
  turnaround: {
    about: "trivial job, submitted to Finished; LAVA tuned to 1 s",
    unit: "ms",
    better: "less",
    target: 10,
  },
  turnaround_packaged: { about: "the same, LAVA as packaged", unit: "ms", better: "less" },
  runner_start: {
    about: "submitted to the runner's first line; LAVA tuned",
    unit: "ms",
    better: "less",
  },
  job_end: { about: "the runner's last line to Finished; LAVA tuned", unit: "ms", better: "less" },
  job_cpu: {
    about: "CPU of a trivial job at the worker, its DUT's included",
    unit: "ms",
    better: "less",
  },
  qemu: { about: "QEMU job, submitted to Finished; LAVA tuned", unit: "ms", better: "less" },
  overhead: { about: "of that beyond the guest's own time", unit: "ms", better: "less" },
  submits: { about: "submissions, 1 client", unit: "/s", better: "more", target: 20 },
  submits_p99: { about: "the same, 99th percentile", unit: "ms", better: "less" },
  submits_cpu: { about: "the same, CPU of a submission at the server", unit: "ms", better: "less" },
  submits_8: { about: "submissions, 8 clients", unit: "/s", better: "more", target: 20 },
  submits_8_p99: { about: "the same, 99th percentile", unit: "ms", better: "less" },
  list: { about: "list of 50 jobs", unit: "ms", better: "less", target: 10 },
  list_cpu: { about: "the same, CPU at the server", unit: "ms", better: "less" },
  detail: { about: "one job", unit: "ms", better: "less", target: 10 },
  detail_cpu: { about: "the same, CPU at the server", unit: "ms", better: "less" },
  page: { about: "a job's page, log of 700 lines", unit: "ms", better: "less" },
  page_cpu: { about: "the same, CPU at the server", unit: "ms", better: "less" },
  intake: { about: "log lines taken in by the server, 1 sender", unit: "lines/s", better: "more" },
  intake_cpu: { about: "CPU of a line at the server", unit: "us", better: "less" },
  console: {
    about: "console lines, DUT to the server's log",
    unit: "lines/s",
    better: "more",
    target: 50,
  },
  console_cpu: { about: "CPU of a console line at the worker", unit: "us", better: "less" },
  server_memory: {
    about: "server, all services, idle",
    unit: "MiB PSS",
    better: "less",
    target: 5,
  },
  server_memory_after: { about: "the same after all of this", unit: "MiB PSS", better: "less" },
  worker_memory: { about: "worker, idle", unit: "MiB PSS", better: "less" },
  job_memory: {
    about: "worker with a QEMU job, the most, without the guest",
    unit: "MiB PSS",
    better: "less",
  },
  install_size: { about: "server and worker, installed", unit: "MB", better: "less" },
  install_packages: {
    about: "the same: packages beyond the base system",
    unit: "",
    better: "less",
  },
  first_job: {
    about: "nothing set up to the first green QEMU job, packages there",
    unit: "s",
    better: "less",
  },
  first_job_commands: { about: "the same: commands", unit: "", better: "less" },
} as const satisfies Record<string, Kind>;

export type Name = keyof typeof KINDS;
type Sided = Record<Side["name"], number[]>;

/** What was measured, a value a run. */
export class Figures {
  readonly #values = new Map<Name, Sided>();

  note(name: Name, side: Side["name"], value: number): void {
    const values = this.#values.get(name) ?? { pumice: [], lava: [] };
    values[side].push(value);
    this.#values.set(name, values);
  }

  /** The JSON that programs read: a ratio is how many times better Pumice is, by medians. */
  report() {
    const ratios: Record<string, number> = {};
    const pumice: Record<string, Summary> = {};
    const lava: Record<string, Summary> = {};
    for (const name of Object.keys(KINDS) as Name[]) {
      const values = this.#values.get(name);
      if (!values) continue;
      const { unit, better } = KINDS[name];
      const ours = (pumice[name] = { unit, ...summary(values.pumice) });
      const theirs = (lava[name] = { unit, ...summary(values.lava) });
      const ratio = better === "less" ? theirs.median / ours.median : ours.median / theirs.median;
      ratios[name] = Number(ratio.toPrecision(3));
    }
    return { ratios, pumice, lava };
  }
}

export interface Summary {
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
}

function summary(values: readonly number[]): Omit<Summary, "unit"> {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number): number => Number((sorted[index] ?? NaN).toPrecision(4));
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 ? at(middle) : (at(middle - 1) + at(middle)) / 2;
  return { median, min: at(0), max: at(sorted.length - 1), runs: sorted.length };
}

/** For people: a line a figure, and whether the target is met. */
export function table({ ratios, pumice, lava }: ReturnType<Figures["report"]>): string {
  const number = (value: number): string =>
    value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
  const spread = ({ median, min, max, runs }: Summary): string =>
    runs > 1 ? `${number(median)} (${number(min)} to ${number(max)})` : number(median);
  const lines = (Object.keys(ratios) as Name[]).map((name) => {
    const { about, unit, target = 1 }: Kind = KINDS[name];
    const ratio = ratios[name]!;
    const verdict = ratio >= target ? "" : `  below its target of ${target}`;
    const head = `${about}${unit ? `, ${unit}` : ""}`.padEnd(66);
    return `${head} ${spread(pumice[name]!).padStart(26)} ${spread(lava[name]!).padStart(28)} ${number(ratio).padStart(7)}${verdict}`;
  });
  const head = `${"".padEnd(66)} ${"Pumice".padStart(26)} ${"LAVA".padStart(28)}   ratio`;
  return [head, ...lines].join("\n");
}
