import { setTimeout as pause } from "node:timers/promises";
import type { Rest } from "./client.ts";
import { FLOOD_WORDS, localJob } from "./dut.ts";
import type { Figures } from "./figures.ts";
import type { Side } from "./sides.ts";
import { watched, type Used } from "./watch.ts";

/** Seldom: LAVA's server needs 40 ms for an answer. The times are the server's, not those of who looks. */
const LOOK_MS = 500;
/** A warm-up is for caches and compilers of both. */
const WARM_UP = 1;

export const TRIVIAL = localJob(["lava-test-case ok --result pass"]);

interface RestJob {
  readonly state: string;
  readonly health: string;
  readonly submit_time: string;
  readonly end_time: string | null;
}

/** Trivial jobs, in turns; some more that are watched, which costs time; and at LAVA as it is packaged, too. */
export async function measureTrivial(
  figures: Figures,
  sides: readonly Side[],
  runs: number,
  packagedRuns: number,
) {
  for (let run = -WARM_UP; run < runs; run++) {
    for (const side of sides) {
      const { total, toRunner, toFinished } = await jobTimes(side, TRIVIAL);
      if (run < 0) continue;
      figures.note("turnaround", side.name, total);
      figures.note("runner_start", side.name, toRunner);
      figures.note("job_end", side.name, toFinished);
      if (packagedRuns > 0 && !side.pace) figures.note("turnaround_packaged", side.name, total);
    }
  }
  for (let run = 0; run < Math.min(runs, 3); run++) {
    for (const side of sides) {
      const [, { cpuSeconds }] = await watched(side, () => jobTimes(side, TRIVIAL));
      const { agent, runner, dut, server } = cpuSeconds;
      figures.note("job_cpu", side.name, (agent + runner + dut) * 1000);
      figures.note("job_cpu_server", side.name, server * 1000);
    }
  }
  for (const side of sides) {
    if (!side.pace || packagedRuns === 0) continue;
    await side.pace("packaged");
    for (let run = 0; run < packagedRuns; run++) {
      figures.note("turnaround_packaged", side.name, (await jobTimes(side, TRIVIAL)).total);
    }
    await side.pace("tuned");
  }
}

/** QEMU jobs, in turns; and what each process needs meanwhile. Returns how many seconds the first took: it is what somebody waits for. */
export async function measureQemu(
  figures: Figures,
  sides: readonly Side[],
  runs: number,
  definition: string,
) {
  const first: Partial<Record<Side["name"], number>> = {};
  for (let run = -WARM_UP; run < runs; run++) {
    for (const side of sides) {
      const [times, { cpuSeconds, mostMib }] = await watched(side, () =>
        jobTimes(side, definition),
      );
      first[side.name] ??= times.total / 1000;
      if (run < 0) continue;
      figures.note("qemu", side.name, times.total);
      figures.note("overhead", side.name, times.total - times.ofDut);
      for (const who of ["server", "agent", "runner", "dut"] as const) {
        figures.note(`qemu_cpu_${who}`, side.name, cpuSeconds[who] * 1000);
      }
      figures.note("job_memory", side.name, mostMib.worker);
      figures.note("runner_memory", side.name, mostMib.runner);
      figures.note("dut_memory", side.name, mostMib.dut);
    }
  }
  return first;
}

/** Many lines from a DUT to the server's log, by a job. `lines` of each side: rates are compared, and LAVA takes its time. */
export async function measureConsole(
  figures: Figures,
  sides: readonly Side[],
  runs: number,
  lines: Record<Side["name"], number>,
) {
  for (let run = 0; run < runs; run++) {
    for (const side of sides) {
      const count = lines[side.name];
      const [, without] = await watched(side, () => jobTimes(side, floodJob(1)));
      const [{ id, endMs }, withThem] = await watched(side, () => jobTimes(side, floodJob(count)));
      const times = (await logOf(side.rest, id)).filter(({ line }) =>
        line.includes(`"${FLOOD_WORDS}`),
      );
      if (times.length !== count)
        throw new Error(
          `${side.name}: ${times.length} of ${count} lines are in the log of job ${id}`,
        );
      const seconds = workerSeconds(withThem) - workerSeconds(without);
      figures.note("console", side.name, (count / (endMs - times[0]!.ms)) * 1000);
      figures.note("console_cpu", side.name, (seconds / (count - 1)) * 1e6);
    }
  }
}

const workerSeconds = ({ cpuSeconds }: Used): number => cpuSeconds.agent + cpuSeconds.runner;

/** As fast as the DUT can. */
export const floodJob = (lines: number): string => localJob([`head -n ${lines} /root/flood`]);

export async function submit(rest: Rest, definition: string): Promise<number> {
  const answer = await rest<{ job_ids: number[] }>("POST", "jobs/", { definition });
  return answer.job_ids[0]!;
}

/** Submits a job, waits for its end, and reads milliseconds off it and its log: by the server's and the worker's clock, which are this machine's. */
export async function jobTimes({ name, rest }: Side, definition: string) {
  const id = await submit(rest, definition);
  const job = await finished(rest, id);
  const log = await logOf(rest, id);
  if (job.health !== "Complete") {
    const end = log.slice(-15).map(({ line }) => line);
    throw new Error(`${name}: job ${id} is ${job.health}:\n${end.join("\n").slice(-2000)}`);
  }
  const said = log.filter(({ line }) => /"?lvl"?: "?target/.test(line));
  const left = said.find(({ line }) => line.includes("<LAVA_TEST_RUNNER EXIT>"));
  const submitted = Date.parse(job.submit_time);
  const endMs = Date.parse(job.end_time ?? "");
  return {
    id,
    endMs,
    total: endMs - submitted,
    toRunner: log[0]!.ms - submitted,
    toFinished: endMs - log.at(-1)!.ms,
    /** From its first word to the end of its tests. */
    ofDut: (left?.ms ?? NaN) - (said[0]?.ms ?? NaN),
  };
}

async function finished(rest: Rest, id: number): Promise<RestJob> {
  for (;;) {
    const job = await rest<RestJob>("GET", `jobs/${id}/`);
    if (job.state === "Finished") return job;
    await pause(LOOK_MS);
  }
}

/** Each line of a log, and when the worker read it. */
async function logOf(rest: Rest, id: number) {
  const log = await rest<string>("GET", `jobs/${id}/logs/`);
  return log.split("\n").flatMap((line) => {
    const time = /"?dt"?: "?([0-9T:.-]+)/.exec(line)?.[1];
    return time === undefined ? [] : [{ line, ms: Date.parse(`${time}Z`) }];
  });
}
