import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { DeviceView, JobView, SubmitResponse } from "#protocol/api.ts";
import type { Violation } from "#protocol/integrity.ts";
import { checkLab } from "../../control-plane/cli/check-lab-command.ts";
import { makeClient, type Client } from "../../control-plane/cli/client.ts";
import { processesOf } from "../../test/support/real-lab.ts";
import { drawFault, type Breakable, type Fault } from "./chaos-faults.ts";
import { faultsOfJob, qemuJob, standInBoard } from "./chaos-jobs.ts";
import { chaosPlane, type ChaosPlane } from "./chaos-plane.ts";
import { chaosWorker, type ChaosWorker } from "./chaos-worker.ts";
import { dice, type Dice } from "./dice.ts";
import { fakeClock, removeLeftClocks } from "./fake-clock.ts";
import type { Engine } from "./load-plane.ts";
import {
  BREAKS,
  hasOwnNetwork,
  namespaceNetwork,
  openLoopback,
  proxyNetwork,
} from "./worker-network.ts";

export interface ChaosOptions {
  readonly engine: Engine;
  readonly seconds: number;
  readonly seed: number;
  readonly workers: number;
  /** QEMU guests beside the boards that are programs. */
  readonly guests: number;
  readonly say: (line: string) => void;
}

export interface ChaosReport {
  readonly engine: Engine;
  readonly seed: number;
  readonly seconds: number;
  /** In the order in which they struck. */
  readonly faults: readonly { at_s: number; name: string; what: string }[];
  /** What this machine or engine can't do to a lab. */
  readonly left_out: readonly string[];
  readonly submitted: number;
  /** How jobs ended, `Incomplete Infrastructure`, and how many did. */
  readonly ends: Readonly<Record<string, number>>;
  /** What did not come to rest, jobs that are gone or not whole; one line each. */
  readonly wrong: readonly string[];
  readonly violations: readonly Violation[];
  readonly leaks: readonly string[];
}

interface Trial {
  readonly options: ChaosOptions;
  readonly dir: string;
  readonly client: Client;
  readonly plane: ChaosPlane;
  readonly workers: readonly ChaosWorker[];
  /** A definition, drawn. */
  readonly nextJob: (dice: Dice) => string;
  readonly jobs: Set<number>;
  readonly faults: { at_s: number; name: string; what: string }[];
  readonly wrong: string[];
}

/** How long a lab may take to come to rest once all is mended; jobs have a minute at most. */
const REST_MS = 5 * 60_000;
const BOARDS_A_WORKER = 2;
/** A submission that failed is swept ten minutes later, or ten more where nothing was left to sweep before. */
const SWEPT_MS = 22 * 60_000;

/** Submitting waits while so many jobs are open. */
const MOST_OPEN = 12;

/**
 * A real lab, of which something breaks every few seconds while jobs are submitted; then all is mended, and once it is at rest every
 * job is accounted for, all records are checked and what is left over is looked for.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const dir = mkdtempSync(path.join(tmpdir(), "pumice-chaos-"));
  const stop = new AbortController();
  if (hasOwnNetwork()) await openLoopback();
  const hasClock = options.engine === "embedded";
  const plane = await chaosPlane(
    options.engine,
    dir,
    hasClock ? fakeClock(path.join(dir, "server-clock")) : undefined,
  );
  const { url, adminToken: token } = plane;
  // Longer than anything is broken.
  const client = makeClient({ url, token, signal: stop.signal, patienceMs: 120_000 });
  const workers: ChaosWorker[] = [];
  try {
    const nextJob = await makeLab(options, { dir, plane, client, workers });
    const trial: Trial = {
      ...{ options, dir, client, plane, workers, nextJob },
      ...{ jobs: new Set(), faults: [], wrong: [] },
    };
    await breakThings(trial);
    return await reportOf(trial);
  } finally {
    stop.abort();
    for (const worker of workers) await worker.close();
    await plane.close();
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
    removeLeftClocks();
  }
}

async function makeLab(
  options: ChaosOptions,
  {
    dir,
    plane,
    client,
    workers,
  }: Pick<Trial, "dir" | "plane" | "client"> & { workers: ChaosWorker[] },
): Promise<Trial["nextJob"]> {
  const board = standInBoard(dir);
  const put = (hostname: string, device: object): Promise<unknown> =>
    client.json("PUT", `/devices/${hostname}`, device);
  for (let n = 0; n < options.workers; n++) {
    const name = `worker-${n}`;
    const { token } = await client.json<{ token: string }>("POST", "/workers", { name });
    const clock = fakeClock(path.join(dir, `${name}-clock`));
    const network = hasOwnNetwork()
      ? await namespaceNetwork(n, plane)
      : await proxyNetwork(plane.url);
    workers.push(chaosWorker({ name, token, dir }, { network, clock }));
    for (let k = 0; k < BOARDS_A_WORKER; k++) {
      const device = { device_type: "stand-in", worker: name, configuration: board.configuration };
      await put(`board-${n}-${k}`, device);
    }
  }
  const guest = readFileSync(
    path.resolve(import.meta.dirname, "../../docs/examples/qemu-device.yaml"),
    "utf8",
  );
  for (let n = 0; n < options.guests; n++) {
    const worker = workers[n % workers.length]!.name;
    await put(`qemu-${n}`, { device_type: "qemu", worker, configuration: guest });
  }
  for (const worker of workers) worker.start();
  return (chance) => {
    if (options.guests > 0 && chance.roll() < 0.1) return qemuJob();
    return board.job(chance.roll() < 0.3 ? "retry_on: infrastructure\n" : "");
  };
}

async function breakThings(trial: Trial): Promise<void> {
  const { options, jobs, client, faults, wrong, plane, workers } = trial;
  const begin = performance.now();
  const end = begin + options.seconds * 1000;
  const chance = dice(options.seed);
  const lab: Breakable = {
    ...{ plane, workers },
    async cancelAny(own) {
      const id = [...jobs].at(-1 - Math.floor(own.roll() * MOST_OPEN));
      if (id === undefined) return "there is none";
      await client.json("POST", `/jobs/${id}/cancel`, {}).catch(() => {});
      return `job ${id}`;
    },
  };
  const broken = new Map<string, Promise<void>>();
  const strike = async (fault: Fault, at_s: number): Promise<void> => {
    const told = { at_s, name: fault.name, what: "" };
    faults.push(told);
    try {
      await fault.strike((what) => {
        told.what = what;
        options.say(`${String(at_s).padStart(5)} s  ${fault.name}: ${what}`);
      });
    } catch (error) {
      wrong.push(`${fault.name} at ${at_s} s: ${String(error)}`);
    }
    broken.delete(fault.place);
  };
  const submitting = submitJobs(trial, dice(options.seed + 1), end);
  while (performance.now() < end) {
    await sleep(chance.between(200, 4000));
    const fault = drawFault(lab, chance);
    // What is broken already is not broken twice; its chance was used up all the same.
    if (!fault || broken.has(fault.place)) continue;
    const isDown = workers.some((one) => !one.isUp() && fault.place === one.name);
    if (isDown) continue;
    broken.set(fault.place, strike(fault, Math.round((performance.now() - begin) / 100) / 10));
  }
  await Promise.all(broken.values());
  await submitting;
  plane.heal();
}

async function submitJobs({ client, jobs, nextJob, wrong }: Trial, chance: Dice, end: number) {
  for (let n = 0; performance.now() < end; n++) {
    await sleep(chance.between(200, 1500));
    try {
      // The same again after an answer that was lost makes no second job.
      const key = `chaos-job-${n}`;
      const { job_ids } = await client.send<SubmitResponse>("POST", "/jobs", nextJob(chance), key);
      if (jobs.has(job_ids[0]!)) wrong.push(`job ${job_ids[0]} was given twice`);
      jobs.add(job_ids[0]!);
      while (performance.now() < end && (await open({ client, jobs })) >= MOST_OPEN) {
        await sleep(500);
      }
    } catch (error) {
      wrong.push(`submitting job ${n} of ours: ${String(error)}`);
    }
  }
}

/** How many of the last jobs have not ended. */
async function open({ client, jobs }: Pick<Trial, "client" | "jobs">): Promise<number> {
  const last = [...jobs].slice(-2 * MOST_OPEN);
  const all = await Promise.all(last.map((id) => client.json<JobView>("GET", `/jobs/${id}`)));
  return all.filter(({ state }) => state !== "Finished").length;
}

async function reportOf(trial: Trial): Promise<ChaosReport> {
  const { options, plane, workers, jobs, client, wrong } = trial;
  options.say(`all is mended; ${jobs.size} jobs were taken`);
  const ends: Record<string, number> = {};
  await atRest(trial);
  let swept = 0;
  const sweptBefore = new Date(Date.now() - SWEPT_MS).toISOString();
  for (const id of jobs) {
    const job = await client.json<JobView>("GET", `/jobs/${id}`).catch((error: unknown) => {
      wrong.push(`job ${id}: ${String(error)}`);
      return undefined;
    });
    if (!job) continue;
    if (job.submit_time < sweptBefore) swept = Math.max(swept, id);
    const end = [job.health, job.error_type].filter(Boolean).join(" ");
    ends[end] = (ends[end] ?? 0) + 1;
    wrong.push(...(await faultsOfJob(client, job)));
  }
  const { violations } = await checkLab(client, new AbortController().signal);
  // What a submission that failed had put away is swept later (domain/retention/sweep-gaps.ts).
  const isOfJob = (id: number): boolean => jobs.has(id) || id > swept;
  const leaks = await notGone(async () => [...(await plane.leaks(isOfJob)), ...leftOver(trial)]);
  const breaks = Object.keys(workers[0]!.network.breaks);
  const left_out = [
    ...(hasOwnNetwork()
      ? []
      : [
          "network namespaces: a proxy breaks the network instead; it takes root and scripts/chaos",
        ]),
    ...BREAKS.filter((how) => !breaks.includes(how)).map((how) => `networks that are ${how}`),
    ...(workers.every(({ hasDisk }) => hasDisk) ? [] : ["full disks: only root may mount one"]),
    ...(workers.every(({ clock }) => clock) ? [] : ["clock jumps: libfaketime is not installed"]),
    ...(plane.drawServiceFault ? [] : ["services that fail: the embedded engine has none"]),
  ];
  return {
    ...{ engine: options.engine, seed: options.seed, seconds: options.seconds },
    ...{ faults: trial.faults, left_out, submitted: jobs.size, ends, wrong, violations, leaks },
  };
}

/** What is left over for longer than bells lie in a worker's queue: a minute, as nobody takes them out. */
async function notGone(look: () => Promise<string[]>): Promise<string[]> {
  const LEAK_MS = 120_000;
  const until = performance.now() + LEAK_MS;
  for (;;) {
    const found = await look();
    if (found.length === 0 || performance.now() > until) return found;
    await sleep(500);
  }
}

/** Waits until all jobs have ended, all devices are Idle and the workers have forgotten their jobs; notes what does not. */
async function atRest({ client, jobs, workers, wrong }: Trial): Promise<void> {
  const until = performance.now() + REST_MS;
  for (;;) {
    const { devices } = await client.json<{ devices: DeviceView[] }>("GET", "/devices?limit=100");
    const left = [...jobs].slice(-3 * MOST_OPEN);
    const all = await Promise.all(left.map((id) => client.json<JobView>("GET", `/jobs/${id}`)));
    const restless = [
      ...all
        .filter(({ state }) => state !== "Finished")
        .map(({ id, state, device }) => `job ${id} is ${state} on ${device ?? "no device"}`),
      ...devices
        .filter(({ state }) => state !== "Idle")
        .map(({ hostname, state, current_job }) => `${hostname} is ${state}, job ${current_job}`),
      ...workers.flatMap((worker) =>
        worker.jobs().map((id) => `${worker.name} keeps files of job ${id}`),
      ),
    ];
    if (restless.length === 0) return;
    if (performance.now() > until) {
      wrong.push(...restless.map((one) => `after ${REST_MS / 60_000} minutes ${one}`));
      return;
    }
    await sleep(500);
  }
}

/** Processes, files and sockets that nobody needs any more. */
const leftOver = ({ workers, dir }: Trial): string[] => [
  ...workers.flatMap((worker) => worker.leaks()),
  ...processesOf(path.join(dir, "boards")).map((pid) => `process ${pid} of a board`),
];
