import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { LogCommitRequest, RunnerReport, SyncResponse, Ticket } from "#protocol/worker-api.ts";
import { systemClock } from "../../worker/agent/clock.ts";
import { ControlPlane } from "../../worker/agent/control-plane.ts";
import { SyncLoop } from "../../worker/agent/sync-loop.ts";
import { HttpClient, HttpError } from "../../worker/host/http-client.ts";
import type { Latencies } from "./latencies.ts";
import { keptConnections, signalUnder } from "./load-http.ts";

export interface WorkerOptions {
  readonly url: string;
  readonly token: string;
  /** How long a job takes beside what its reports take. */
  readonly jobMs: number;
  readonly times: Latencies;
  /** A request that was refused or broke; there should be none. */
  readonly failed: (what: string, error: unknown) => void;
  readonly began: (id: number) => void;
  readonly ended: (id: number) => void;
}

export const LINES_A_CHUNK = 60;
export const CHUNKS = 3;
/** Results in each chunk. */
export const RESULTS_A_CHUNK = 5;

/**
 * A worker as the control plane sees it: the agent's own sync loop and calls, and in the place of runners jobs that ship a log of
 * some chunks with results. Runs until `stop` is aborted.
 */
export async function simulatedWorker(options: WorkerOptions, stop: AbortSignal): Promise<void> {
  const signal = signalUnder(stop);
  const { url, token, failed } = options;
  const controlPlane = new ControlPlane(agentHttp(url), () => token);
  const runners = new Map<number, RunnerReport["state"]>();
  const jobs = new Set<Promise<void>>();
  const loop = new SyncLoop();
  const take = (ticket: Ticket): void => {
    const { job_id: id } = ticket;
    if (runners.has(id)) return;
    runners.set(id, "running");
    options.began(id);
    const job = runJob(options, controlPlane, ticket, () => runners.set(id, "finished"), signal)
      .catch((error: unknown) => {
        if (!signal.aborted) failed("a job's reports", error);
      })
      .finally(() => {
        runners.delete(id);
        told.delete(id);
        jobs.delete(job);
        loop.changed();
        options.ended(id);
      });
    jobs.add(job);
  };
  const told = new Set<number>();
  const ask = async (...args: Parameters<ControlPlane["sync"]>): Promise<SyncResponse> => {
    // That a job runs is answered at once; what is held back has no latency.
    const isNews = args[0].runners.some(({ job_id }) => !told.has(job_id));
    const begin = performance.now();
    try {
      const answer = await controlPlane.sync(...args);
      if (isNews) options.times.add("sync with news", performance.now() - begin);
      for (const { job_id } of args[0].runners) told.add(job_id);
      return answer;
    } catch (error) {
      // The loop gives a request up when there is news.
      if (!args[1].aborted) failed("sync", error);
      throw error;
    }
  };
  await loop.run(
    {
      controlPlane: { sync: ask, askQueue: controlPlane.askQueue.bind(controlPlane) },
      clock: systemClock,
      log: () => {},
      reports: () => [...runners].map(([job_id, state]) => ({ job_id, state })),
      apply: ({ start, cancel, lost }) => {
        for (const ticket of start) take(ticket);
        // One that is just being told of is known as ended while it still counts as running.
        for (const id of cancel.filter((one) => runners.get(one) === "running"))
          failed("sync", new Error(`job ${id} is to end`));
        for (const { job_id: id } of lost) failed("sync", new Error(`job ${id} is lost`));
      },
      restored: () => {},
      refreshToken: () => {},
    },
    signal,
  );
  await Promise.all(jobs);
}

/** What the agent's HTTP client does with requests to the control plane, for a fraction of its CPU; itself for others, which are of a queue. */
function agentHttp(url: string): Pick<HttpClient, "request"> {
  const { ask } = keptConnections(url);
  const others = new HttpClient(url);
  return {
    async request(request) {
      const { method, url: where, token, json, signal } = request;
      if (where.includes("://")) return others.request(request);
      const answer = await ask(`/${where}`, {
        ...{ method, signal, body: json === undefined ? "" : JSON.stringify(json) },
        headers: {
          ...{ accept: "application/json", "content-type": "application/json" },
          authorization: `Bearer ${token}`,
        },
      });
      const { status, text } = answer;
      const body: unknown = text === "" ? undefined : JSON.parse(text);
      if (status >= 200 && status < 300) return body;
      throw new HttpError(`${method} ${where}: ${status} ${text.slice(0, 200)}`, { status, body });
    },
  };
}

async function runJob(
  { jobMs, times }: WorkerOptions,
  controlPlane: ControlPlane,
  { job_id: id, token }: Ticket,
  onEnd: () => void,
  signal: AbortSignal,
): Promise<void> {
  const job = { id, token };
  for (const { commit, body } of chunks()) {
    const begin = performance.now();
    await controlPlane.logCommit(job, { ...commit, body }, signal);
    times.add("ship a chunk", performance.now() - begin);
    await systemClock.sleep(jobMs / CHUNKS, signal);
  }
  onEnd();
  const begin = performance.now();
  const lines = LINES_A_CHUNK * CHUNKS;
  await controlPlane.finish(job, { result: "pass", lines }, signal);
  times.add("finish", performance.now() - begin);
}

let made: { commit: LogCommitRequest; body: string }[] | undefined;

/** The log of every job, packed once: what packing costs is the worker's own business. */
function chunks(): { commit: LogCommitRequest; body: string }[] {
  made ??= Array.from({ length: CHUNKS }, (_, n) => {
    const first = n * LINES_A_CHUNK;
    const dt = "2026-03-01T12:00:00.000000+00:00";
    const records = Array.from({ length: LINES_A_CHUNK }, (_, k) =>
      k < RESULTS_A_CHUNK
        ? {
            dt,
            lvl: "results",
            msg: { definition: "0_load", case: `case-${n}-${k}`, result: "pass" },
          }
        : { dt, lvl: "target", msg: `[    0.${first + k}] a line of the console of a board` },
    );
    const body = gzipSync(records.map((one) => `${JSON.stringify(one)}\n`).join(""));
    const results = records.flatMap(({ lvl, msg }, k) =>
      lvl === "results" ? [{ line: first + k, dt, msg: msg as Record<string, unknown> }] : [],
    );
    const sha256 = createHash("sha256").update(body).digest("hex");
    const commit = { first_line: first, count: LINES_A_CHUNK, bytes: body.length, sha256, results };
    return { commit, body: body.toString("base64") };
  });
  return made;
}
