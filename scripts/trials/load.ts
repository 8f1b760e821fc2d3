import { setTimeout as sleep } from "node:timers/promises";
import type { JobView, LogPage, SubmitResponse } from "#protocol/api.ts";
import type { Violation } from "#protocol/integrity.ts";
import { checkLab } from "../../control-plane/cli/check-lab-command.ts";
import { makeClient, type Client } from "../../control-plane/cli/client.ts";
import { aDeviceConfiguration, aJob } from "../../test/support/builders.ts";
import { latencies, type Latencies, type Latency } from "./latencies.ts";
import { openPlane, type Engine, type Plane } from "./load-plane.ts";
import { CHUNKS, LINES_A_CHUNK, RESULTS_A_CHUNK, simulatedWorker } from "./simulated-worker.ts";

export interface LoadOptions {
  readonly engine: Engine;
  readonly seconds: number;
  readonly workers: number;
  /** Jobs submitted each second. */
  readonly rate: number;
  readonly followers: number;
  readonly readers: number;
  /** How long a job takes, beside its reports. */
  readonly jobMs: number;
  readonly say: (line: string) => void;
}

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
  readonly memory?: { begin_mb: number; end_mb: number; most_mb: number; mb_per_minute: number };
  /** CPU of the server for each job, from submission to end with all readers. */
  readonly cpu_ms_per_job?: number;
}

interface Trial {
  readonly options: LoadOptions;
  readonly plane: Plane;
  readonly client: Client;
  readonly times: Latencies;
  readonly errors: Map<string, number>;
  readonly submitted: number[];
  /** When each job was taken, until it begins. */
  readonly waits: Map<number, number>;
  readonly running: Set<number>;
  ended: number;
}

/** Jobs that follow one another: a device of each worker has its next one at hand. */
const SETTLE_MS = 120_000;
const AT_ONCE = 16;

/** A lab of simulated workers, with jobs that are submitted at a rate, readers and followers of logs; then everything is counted. */
export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  const plane = await openPlane(options.engine);
  const stop = new AbortController();
  try {
    const client = clientOf(plane, stop.signal);
    const trial: Trial = {
      ...{ options, plane, client, times: latencies(), errors: new Map(), submitted: [] },
      ...{ waits: new Map(), running: new Set(), ended: 0 },
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
  const memory = watchMemory(trial, quiet.signal);
  const readers = [
    ...Array.from({ length: options.readers }, () => reader(trial, quiet.signal)),
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
  stop.abort();
  await Promise.all(agents);
  options.say("counting everything");
  const after = new AbortController();
  const client = clientOf(plane, after.signal);
  const lost = await findLost(trial, client);
  const { violations } = await checkLab(client, after.signal);
  for (const line of plane.complaints()) note(errors, `server: ${line.slice(0, 200)}`);
  const slope = await memory;
  return {
    ...{ engine: options.engine, seconds: Math.round(took), submitted: taken },
    ...{ finished: trial.ended, rate: Math.round((taken / took) * 10) / 10 },
    ...{ errors: Object.fromEntries(errors), lost, violations, latencies: trial.times.report() },
    ...(slope && { memory: slope }),
    ...(used === undefined ? {} : { cpu_ms_per_job: Math.round((used * 10_000) / taken) / 10 }),
  };
}

/** Nothing is tried twice: what a patient client would hide is to be seen. */
const clientOf = ({ url, adminToken: token }: Plane, signal: AbortSignal): Client =>
  makeClient({ url, token, signal, patienceMs: 0 });

function note(errors: Map<string, number>, what: string): void {
  if (errors.size < 50 || errors.has(what)) errors.set(what, (errors.get(what) ?? 0) + 1);
}

function failed({ errors }: Trial, what: string, error: unknown): void {
  // Numbers differ each time.
  const text = String(error).replace(/\d+/g, "N").slice(0, 200);
  note(errors, `${what}: ${text}`);
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
        trial.ended++;
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

async function allFinished(trial: Trial): Promise<void> {
  let before = trial.ended;
  for (let until = Date.now() + SETTLE_MS; trial.ended < trial.submitted.length;) {
    if (Date.now() > until) return note(trial.errors, "jobs that did not end in two minutes");
    await sleep(100);
    if (trial.ended > before) until = Date.now() + SETTLE_MS;
    before = trial.ended;
  }
}

/** Somebody who looks at lists, jobs, results and the queue, one after the other, a second between. */
async function reader(trial: Trial, signal: AbortSignal): Promise<void> {
  const { client, times, submitted } = trial;
  const looks: [string, () => string][] = [
    ["list of jobs", () => "/jobs?limit=50"],
    ["queue", () => "/queue?device_type=qemu"],
    ["list of devices", () => "/devices?limit=50"],
    ["job", () => `/jobs/${anyOf(submitted)}`],
    ["results", () => `/jobs/${anyOf(submitted)}/results`],
    ["log", () => `/jobs/${anyOf(submitted)}/log`],
  ];
  for (let n = 0; !signal.aborted; n++) {
    const [name, where] = looks[n % looks.length]!;
    if (submitted.length > 0) {
      const begin = performance.now();
      try {
        await client.json("GET", where());
        times.add(name, performance.now() - begin);
      } catch (error) {
        failed(trial, name, error);
      }
    }
    await sleep(500 + Math.random() * 1000, undefined, { signal }).catch(() => {});
  }
}

/** Follows the log of a job that runs to its end, as a browser does, then of another one. */
async function follower(trial: Trial, signal: AbortSignal): Promise<void> {
  const { client, running, times } = trial;
  while (!signal.aborted) {
    const id = anyOf([...running]);
    if (id === undefined) {
      await sleep(200, undefined, { signal }).catch(() => {});
      continue;
    }
    try {
      let lines = 0;
      for (let isOver = false; !isOver && !signal.aborted;) {
        const begin = performance.now();
        const page: LogPage = await client.json(
          "GET",
          `/jobs/${id}/log?start=${lines}&wait=20`,
          undefined,
          signal,
        );
        if (lines === 0) times.add("first look at a log", performance.now() - begin);
        lines += page.records.length;
        isOver = page.complete;
      }
      if (!signal.aborted && lines !== LINES_A_CHUNK * CHUNKS) {
        note(trial.errors, `a follower saw ${lines} lines`);
      }
    } catch (error) {
      if (!signal.aborted) failed(trial, "follow", error);
    }
  }
}

const anyOf = <T>(list: readonly T[]): T | undefined =>
  list[Math.floor(Math.random() * list.length)];

/** What the server uses each second; the slope is that of the second half, when all that fills has filled. */
async function watchMemory({ plane }: Trial, signal: AbortSignal) {
  const seen: number[] = [];
  while (!signal.aborted) {
    const mb = plane.rssMb();
    if (mb === undefined) return undefined;
    seen.push(mb);
    await sleep(1000, undefined, { signal }).catch(() => {});
  }
  const late = seen.slice(seen.length >> 1);
  const mean = (of: number[]): number => of.reduce((sum, one) => sum + one, 0) / of.length;
  const [x, y] = [(late.length - 1) / 2, mean(late)];
  const over = mean(late.map((mb, n) => (n - x) * (mb - y)));
  const perSecond = over / (mean(late.map((_, n) => (n - x) ** 2)) || 1);
  const rounded = (mb: number): number => Math.round(mb * 10) / 10;
  return {
    ...{ begin_mb: rounded(seen[0]!), end_mb: rounded(seen.at(-1)!) },
    ...{ most_mb: rounded(Math.max(...seen)), mb_per_minute: rounded(perSecond * 60) },
  };
}

/** Every job that was taken has ended well, with all of its log and results. */
async function findLost({ submitted }: Trial, client: Client): Promise<string[]> {
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
