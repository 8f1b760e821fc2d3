import { createHash } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import type {
  FinishRequest,
  LogCommitRequest,
  QueueWait,
  SyncRequest,
  SyncResponse,
} from "#protocol/worker-api.ts";

/** What a request meets instead of an honest answer. `lose`: it is done, but the answer never arrives. */
export type Fault =
  | "drop"
  | "lose"
  | { status: number; body?: unknown; headers?: Record<string, string> };

/** `sync`, `log-tail`, `log-uploads`, `put`, `log-chunks` or `finish`, with the job for all but the first. */
export interface FakeRequest {
  readonly what: string;
  readonly jobId: number;
  readonly body: Buffer;
}

export interface FakeJob {
  state: "Scheduled" | "Running" | "Canceling" | "Finished";
  readonly definition: string;
  readonly lines: string[];
  readonly results: LogCommitRequest["results"];
  finish?: FinishRequest;
  isWatched: boolean;
  /** Its own when not given. */
  device?: string;
  /** Configuration of the device, YAML. */
  configuration?: string;
}

/**
 * The worker API in memory, on a real socket, for what the real control plane can't be asked to do:
 * `fault` is asked before each request. Line numbers and uploads are checked as the real one does.
 */
export class FakeControlPlane {
  readonly token = "worker-token";
  readonly jobs = new Map<number, FakeJob>();
  readonly requests: string[] = [];
  readonly syncs: SyncRequest[] = [];
  /** How large a chunk may be that comes with its commit; undefined: an older server, which takes none. */
  logBodyBytes: number | undefined;
  /** Handed to workers that know how to wait at a queue; a sync of theirs is answered at once then. */
  wait: QueueWait | undefined;
  fault: (request: FakeRequest) => Fault | undefined = () => undefined;
  /** What a request waits for before it is looked at. */
  patience: (request: FakeRequest) => Promise<void> | undefined = () => undefined;
  readonly #uploads = new Map<string, Buffer>();
  readonly #changes = new EventEmitter().setMaxListeners(0);
  readonly #server: Server;
  #port = 0;

  constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** On the same port as before, after the first time. */
  async listen(): Promise<this> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  /** As a kill -9: every connection breaks; what was committed stays. */
  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  submit(id: number, definition: unknown): FakeJob {
    const job: FakeJob = {
      state: "Scheduled",
      definition: JSON.stringify(definition),
      lines: [],
      results: [],
      isWatched: true,
    };
    this.jobs.set(id, job);
    this.changed();
    return job;
  }

  /** Call it after a change of a job's properties. */
  changed(): void {
    this.#changes.emit("change");
  }

  job(id: number): FakeJob {
    const job = this.jobs.get(id);
    if (!job) throw new Error(`no job ${id}`);
    return job;
  }

  /** Resolves when the condition holds; asked again after every request. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await once(this.#changes, "change");
  }

  async finished(id: number): Promise<FakeJob> {
    await this.until(() => this.jobs.get(id)?.state === "Finished");
    return this.job(id);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    try {
      for await (const part of request) parts.push(part as Buffer);
    } catch {
      return;
    }
    const body = Buffer.concat(parts);
    const [what, jobId] = readPath(new URL(request.url ?? "", this.url).pathname);
    this.requests.push(jobId ? `${what} ${jobId}` : what);
    this.changed();
    await this.patience({ what, jobId, body });
    const fault = this.fault({ what, jobId, body });
    if (fault === "drop") return void request.socket.destroy();
    const answer =
      typeof fault === "object" ? fault : await this.#answer(what, jobId, body, request, response);
    this.changed();
    if (fault === "lose") return void request.socket.destroy();
    const { status, body: json, headers } = answer;
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(json === undefined ? "" : JSON.stringify(json));
  }

  async #answer(
    what: string,
    jobId: number,
    body: Buffer,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<Exclude<Fault, string>> {
    if (what === "put") {
      this.#uploads.set(request.url ?? "", body);
      return { status: 200 };
    }
    const token = what === "sync" ? this.token : `token-${jobId}`;
    if (request.headers.authorization !== `Bearer ${token}`) {
      return { status: 401, body: { code: "unauthenticated", message: "unknown token" } };
    }
    const json = body.length > 0 ? (JSON.parse(body.toString()) as unknown) : undefined;
    if (what === "sync") return this.#sync(json as SyncRequest, response);
    const job = this.job(jobId);
    if (what === "log-tail") return { status: 200, body: { next_line: job.lines.length } };
    if (what === "finish") return this.#finish(job, json as FinishRequest);
    const commit = json as LogCommitRequest;
    const url = `/blobs/${jobId}/${commit.first_line}-${commit.sha256}`;
    if (what === "log-uploads")
      return { status: 200, body: { url, method: "PUT", headers: { "x-signed": "yes" } } };
    const sent = this.logBodyBytes !== undefined && commit.body;
    return this.#commit(job, commit, sent ? Buffer.from(sent, "base64") : this.#uploads.get(url));
  }

  async #sync(request: SyncRequest, response: ServerResponse): Promise<Exclude<Fault, string>> {
    this.syncs.push(request);
    for (const { job_id } of request.runners) {
      const job = this.jobs.get(job_id);
      if (job?.state === "Scheduled") job.state = "Running";
    }
    for (const [id, job] of this.jobs) {
      const isReported = request.runners.some(({ job_id }) => job_id === id);
      if (job.state === "Canceling" && !isReported) job.state = "Finished";
    }
    this.changed();
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    for (;;) {
      const answer = this.#plan(request);
      if (this.wait && request.waits?.includes("queue")) {
        return { status: 200, body: { ...answer, wait: this.wait } };
      }
      if (answer.seen !== request.seen || request.wait_seconds === 0 || response.destroyed) {
        return { status: 200, body: answer };
      }
      await once(this.#changes, "change", { signal: gone.signal }).catch(() => {});
    }
  }

  #plan({ runners, no_jobs }: SyncRequest): SyncResponse {
    const reported = new Map(runners.map(({ job_id, state }) => [job_id, state]));
    const start: SyncResponse["start"] = [];
    const held: number[] = [];
    const lost: SyncResponse["lost"] = [];
    const [cancel, forget, watched]: [number[], number[], number[]] = [[], [], []];
    for (const [id, job] of this.jobs) {
      const runner = reported.get(id);
      if (job.state === "Scheduled" && !runner) {
        if (no_jobs === undefined) start.push(ticketOf(id, job));
        else held.push(id);
      }
      if (job.state === "Running" && !runner) lost.push({ job_id: id, token: `token-${id}` });
      if (job.state === "Canceling" && runner === "running") cancel.push(id);
      if (runner && job.isWatched) watched.push(id);
    }
    for (const [id, state] of reported) {
      const job = this.jobs.get(id);
      if (job && job.state !== "Finished") continue;
      (state === "running" ? cancel : forget).push(id);
    }
    const starting = start.map(({ job_id }) => job_id);
    const seen = JSON.stringify([starting, held, lost, cancel, forget, watched]);
    const kept = no_jobs === undefined ? {} : { held };
    const log_body_bytes = this.logBodyBytes;
    const lists = { start, ...kept, lost, cancel, forget, watched };
    return { ...lists, seen: sha256(seen).slice(0, 16), log_body_bytes };
  }

  #commit(
    job: FakeJob,
    { first_line, count, bytes, sha256: digest, results }: LogCommitRequest,
    uploaded: Buffer | undefined,
  ): Exclude<Fault, string> {
    if (first_line !== job.lines.length) {
      const next_line = job.lines.length;
      return { status: 409, body: { code: "conflict", message: "not the next line", next_line } };
    }
    if (uploaded?.length !== bytes || sha256(uploaded) !== digest) {
      return { status: 400, body: { code: "invalid", message: "not uploaded" } };
    }
    const lines = gunzipSync(uploaded).toString().split("\n").slice(0, -1);
    if (lines.length !== count) {
      return { status: 400, body: { code: "invalid", message: "miscounted" } };
    }
    job.lines.push(...lines);
    job.results.push(...results);
    return { status: 200, body: { next_line: job.lines.length } };
  }

  #finish(job: FakeJob, request: FinishRequest): Exclude<Fault, string> {
    if (job.state === "Finished") return { status: 200, body: {} };
    if (request.lines !== job.lines.length) {
      const next_line = job.lines.length;
      return { status: 409, body: { code: "conflict", message: "lines are missing", next_line } };
    }
    job.finish = request;
    job.state = "Finished";
    return { status: 200, body: {} };
  }
}

function readPath(pathname: string): [what: string, jobId: number] {
  const blob = /^\/blobs\/(\d+)\//.exec(pathname);
  if (blob) return ["put", Number(blob[1])];
  const job = /^\/api\/v1\/jobs\/(\d+)\/([a-z-]+)$/.exec(pathname);
  if (job) return [job[2] ?? "", Number(job[1])];
  return ["sync", 0];
}

function ticketOf(
  id: number,
  { definition, device, configuration = "" }: FakeJob,
): SyncResponse["start"][number] {
  return {
    job_id: id,
    token: `token-${id}`,
    definition,
    device: configuration,
    device_hostname: device ?? `qemu-0${id}`,
    device_type: "qemu",
    dispatcher: "",
    env_dut: "",
  };
}

const sha256 = (data: string | Buffer): string => createHash("sha256").update(data).digest("hex");
