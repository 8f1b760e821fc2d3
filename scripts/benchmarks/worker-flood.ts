import type { LogPage } from "#protocol/api.ts";
import type { RealLab } from "../../test/support/real-lab.ts";
import { agentOf } from "./worker-figures.ts";
import { memoryOf, workOf } from "./process-figures.ts";
import { FLOOD_WORDS, runnerOf, typingJob, workerLab } from "./worker-lab.ts";
import type { Subject } from "./worker-subject.ts";

const LOOK_MS = 50;

export interface Flood {
  readonly lines: number;
  /** From the first line's time in the log until the job was Finished, by the control plane's clock. */
  readonly seconds: number;
  readonly lines_per_second: number;
  /** What the control plane has not, has twice, or has in another order. */
  readonly lost: number;
  readonly doubled: number;
  readonly disordered: number;
  readonly agent_cpu_us_per_line: number;
  readonly runner_cpu_us_per_line: number;
  /** The most that was seen. */
  readonly agent_anonymous_mb: number;
  readonly runner_anonymous_mb: number;
}

/** A DUT prints lines as fast as it can; they are counted where a person reads them: at the control plane. */
export async function floodOf(subject: Subject, lines: number): Promise<Flood> {
  const lab = await workerLab(subject, 1);
  try {
    return await floodIn(lab, lines);
  } finally {
    await lab.close();
  }
}

/** The same in a lab of `workerLab` that is there. */
export async function floodIn(lab: RealLab, lines: number): Promise<Flood> {
  const before = workOf(agentOf(lab)).cpuSeconds;
  const id = await lab.submit(typingJob(`flood ${lines}`));
  const runner = await runnerOf(lab, id);
  const seen = watchProcesses([agentOf(lab), runner]);
  const job = await lab.finished(id);
  const [agentMost, runnerMost] = seen.end();
  if (job.health !== "Complete") throw new Error(`job ${id} is ${job.health}: ${job.error_msg}`);
  const { firstMs, ...counts } = await count(lab, id, lines);
  const seconds = (Date.parse(job.end_time ?? "") - firstMs) / 1000;
  const perLine = (cpuSeconds = 0): number => (cpuSeconds / lines) * 1e6;
  return {
    lines,
    seconds,
    lines_per_second: lines / seconds,
    ...counts,
    agent_cpu_us_per_line: perLine((agentMost?.cpuSeconds ?? 0) - before),
    runner_cpu_us_per_line: perLine(runnerMost?.cpuSeconds),
    agent_anonymous_mb: agentMost?.anonymousMb ?? NaN,
    runner_anonymous_mb: runnerMost?.anonymousMb ?? NaN,
  };
}

interface Most {
  cpuSeconds: number;
  anonymousMb: number;
}

/** Looks at processes now and then, since nobody can ask one that has ended. */
function watchProcesses(pids: readonly number[]): { end: () => Most[] } {
  const most = pids.map((): Most => ({ cpuSeconds: 0, anonymousMb: 0 }));
  const look = (): void => {
    for (const [at, pid] of pids.entries()) {
      const known = most[at]!;
      try {
        known.anonymousMb = Math.max(known.anonymousMb, memoryOf([pid]).anonymous_mb);
        known.cpuSeconds = Math.max(known.cpuSeconds, workOf(pid).cpuSeconds);
      } catch {
        // It has ended.
      }
    }
  };
  const timer = setInterval(look, LOOK_MS);
  return {
    end: () => {
      clearInterval(timer);
      look();
      return most;
    },
  };
}

async function count(lab: RealLab, id: number, lines: number) {
  const numbers: number[] = [];
  let firstMs = NaN;
  for (let start = 0, complete = false; !complete;) {
    const page = await lab.api<LogPage>("GET", `/jobs/${id}/log?start=${start}`);
    for (const { dt, lvl, msg } of page.records) {
      if (lvl !== "target" || typeof msg !== "string" || !msg.endsWith(FLOOD_WORDS)) continue;
      if (numbers.length === 0) firstMs = Date.parse(String(dt));
      numbers.push(Number(msg.slice(0, msg.indexOf(" "))));
    }
    start += page.records.length;
    complete = page.complete || page.records.length === 0;
  }
  const different = new Set(numbers);
  return {
    firstMs,
    lost: lines - different.size,
    doubled: numbers.length - different.size,
    disordered: numbers.filter((number, at) => at > 0 && number < numbers[at - 1]!).length,
  };
}
