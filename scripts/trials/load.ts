import { setTimeout as sleep } from "node:timers/promises";
import type { JobView, SubmitResponse } from "#protocol/api.ts";
import type { Violation } from "#protocol/integrity.ts";
import { checkLab } from "../../control-plane/cli/check-lab-command.ts";
import { makeClient } from "../../control-plane/cli/client.ts";
import { aDeviceConfiguration, aJob } from "../../test/support/builders.ts";
import { latencies, type Latency } from "./latencies.ts";
import { lightClient } from "./load-http.ts";
import { openPlane, type Engine } from "./load-plane.ts";
import { follower, reader, signIn } from "./load-readers.ts";
import { failed, note, type LoadOptions, type Trial } from "./load-trial.ts";
import { watchMemory, type Memory } from "./memory.ts";
import { CHUNKS, LINES_A_CHUNK, RESULTS_A_CHUNK, simulatedWorker } from "./simulated-worker.ts";

export interface LoadReport {
  readonly engine: Engine;
  readonly seconds: number;
  readonly submitted: number;
  readonly finished: number;
  /** Jobs a second that were taken; less than the rate when submitting fell behind. */
  readonly rate: number;
  /** What went wrong, by kind, and how often; empty is what it should be. */
  readonly errors: Readonly<Record<string, number>>;
  /** What was answered for and is not there, one line each. */
  readonly lost: readonly string[];
  readonly violations: readonly Violation[];
  readonly latencies: Readonly<Record<string, Latency>>;
  /** Of the server; absent where it is functions. */
  readonly memory?: Memory;
  /** CPU of the server for each job, from submission to end with all readers. */
  readonly cpu_ms_per_job?: number;
  /** The same of this process, which is workers, readers and followers. */
  readonly trial_cpu_ms_per_job: number;
}

const rounded = (ms: number): number => Math.round(ms * 10) / 10;

/** Jobs that follow one another: a device of each worker has its next one at hand. */
const SETTLE_MS = 120_000;
const AT_ONCE = 16;

/** A lab of simulated workers, with jobs that are submitted at a rate, readers and followers of logs; then everything is counted. */
export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  const plane = await openPlane(options.engine);
  const stop = new AbortController();
  try {
    const client = lightClient(plane.url, plane.adminToken);
    const trial: Trial = {
      ...{ options, plane, client, times: latencies(), errors: new Map(), submitted: [] },
      ...{ waits: new Map(), running: new Set(), ended: new Set() },
    };
    options.say(`making ${options.workers} workers`);
    const tokens = await makeWorkers(trial);
    const agents = tokens.map((token) => agent(trial, token, stop.signal));
    await allOnline(trial);
    return await measure(trial, { stop, agents });
  } finally {
    stop.abort();
    await plane.close();
  }
}

async function measure(
  trial: Trial,
  { stop, agents }: { stop: AbortController; agents: Promise<void>[] },
): Promise<LoadReport> {
  const { options, plane, errors } = trial;
  options.say(`${options.rate} jobs/s for ${options.seconds} s`);
  const quiet = new AbortController();
  const cpu = plane.cpuSeconds();
  const own = process.cpuUsage();
  const memory = watchMemory(() => plane.rssMb(), quiet.signal);
  const cookie = await signIn(plane);
  const readers = [
    ...Array.from({ length: options.readers }, () => reader(trial, cookie, quiet.signal)),
    ...Array.from({ length: options.followers }, () => follower(trial, quiet.signal)),
  ];
  const begin = performance.now();
  await submitAll(trial);
  const took = (performance.now() - begin) / 1000;
  const taken = trial.submitted.length;
  options.say(`${taken} jobs taken; waiting for the end of those that are left`);
  await allFinished(trial);
  quiet.abort();
  await Promise.all(readers);
  const used = cpu === undefined ? undefined : plane.cpuSeconds()! - cpu;
  const { user, system } = process.cpuUsage(own);
  stop.abort();
  await Promise.all(agents);
  options.say("counting everything");
  const lost = await findLost(trial);
  const after = new AbortController().signal;
  const patient = { patienceMs: 0, signal: after };
  const { violations } = await checkLab(
    makeClient({ url: plane.url, token: plane.adminToken, ...patient }),
    after,
  );
  for (const line of plane.complaints()) note(errors, `server: ${line.slice(0, 200)}`);
  const rss = await memory;
  return {
    ...{ engine: options.engine, seconds: Math.round(took), submitted: taken },
    ...{ finished: trial.ended.size, rate: Math.round((taken / took) * 10) / 10 },
    ...{ errors: Object.fromEntries(errors), lost, violations, latencies: trial.times.report() },
    ...(rss && { memory: rss }),
    ...(used === undefined ? {} : { cpu_ms_per_job: rounded((used * 1000) / taken) }),
    trial_cpu_ms_per_job: rounded((user + system) / 1000 / taken),
  };
}

async function makeWorkers({ options, client }: Trial): Promise<string[]> {
  const tokens: string[] = [];
  const numbers = Array.from({ length: options.workers }, (_, n) => n);
  const make = async (): Promise<void> => {
    for (let n = numbers.pop(); n !== undefined; n = numbers.pop()) {
      const name = `load-${n}`;
      const { token } = await client.json<{ token: string }>("POST", "/workers", { name });
      tokens.push(token);
      await client.json("PUT", `/devices/board-${n}`, {
        ...{ device_type: "qemu", worker: name, configuration: aDeviceConfiguration() },
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, make));
  return tokens;
}

function agent(trial: Trial, token: string, signal: AbortSignal): Promise<void> {
  const { options, plane, times, waits, running } = trial;
  return simulatedWorker(
    {
      ...{ url: plane.url, token, jobMs: options.jobMs, times },
      failed: (what, error) => failed(trial, what, error),
      began(id) {
        running.add(id);
        const since = waits.get(id);
        waits.delete(id);
        if (since !== undefined) times.add("wait for a device", performance.now() - since);
      },
      ended(id) {
        running.delete(id);
        trial.ended.add(id);
      },
    },
    signal,
  );
}

async function allOnline({ client, options }: Trial): Promise<void> {
  for (let online = 0; online < options.workers; await sleep(200)) {
    online = 0;
    for (let cursor: string | undefined = ""; cursor !== undefined;) {
      const query: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const page: { workers: { state: string }[]; next_cursor?: string } = await client.json(
        "GET",
        `/workers?limit=100${query}`,
      );
      online += page.workers.filter(({ state }) => state === "Online").length;
      cursor = page.next_cursor;
    }
  }
}

/** Keeps the rate, be an answer late or not; when the server falls behind for long, fewer are submitted. */
async function submitAll(trial: Trial): Promise<void> {
  const { options, times, client, submitted, waits } = trial;
  const { seconds, rate } = options;
  const most = Math.max(50, rate * 5);
  const open = new Set<Promise<void>>();
  const begin = performance.now();
  const submit = async (n: number): Promise<void> => {
    const at = performance.now();
    try {
      const job = aJob({ name: `load ${n}` });
      const { job_ids } = await client.send<SubmitResponse>("POST", "/jobs", job);
      times.add("submit", performance.now() - at);
      submitted.push(job_ids[0]!);
      waits.set(job_ids[0]!, at);
    } catch (error) {
      failed(trial, "submit", error);
    }
  };
  for (let n = 0; performance.now() - begin < seconds * 1000; n++) {
    const due = begin + (n * 1000) / rate;
    if (due > performance.now()) await sleep(due - performance.now());
    if (open.size >= most) await Promise.race(open);
    const one = submit(n).finally(() => open.delete(one));
    open.add(one);
  }
  await Promise.all(open);
}

/** Those that were taken; one whose answer did not come may run, too. */
async function allFinished({ submitted, ended, errors }: Trial): Promise<void> {
  let left = submitted.filter((id) => !ended.has(id));
  for (let until = Date.now() + SETTLE_MS; left.length > 0;) {
    if (Date.now() > until) return note(errors, "jobs that did not end in two minutes");
    await sleep(100);
    const still = left.filter((id) => !ended.has(id));
    if (still.length < left.length) until = Date.now() + SETTLE_MS;
    left = still;
  }
}

/** Every job that was taken has ended well, with all of its log and results. */
async function findLost({ submitted, client }: Trial): Promise<string[]> {
  const lost: string[] = [];
  const left = [...submitted];
  if (new Set(submitted).size < submitted.length) lost.push("one number was given to two jobs");
  const look = async (): Promise<void> => {
    for (let id = left.pop(); id !== undefined; id = left.pop()) {
      try {
        const job = await client.json<JobView>("GET", `/jobs/${id}`);
        const { state, health, log_lines: lines, result_counts: counts } = job;
        const all = Object.values(counts ?? {}).reduce((sum, one) => sum + Number(one), 0);
        const found = [state, health, lines, all].join(" ");
        const wanted = `Finished Complete ${LINES_A_CHUNK * CHUNKS} ${RESULTS_A_CHUNK * CHUNKS}`;
        if (found !== wanted) lost.push(`job ${id} is ${found}, not ${wanted}`);
      } catch (error) {
        lost.push(`job ${id}: ${String(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, look));
  return lost;
}
