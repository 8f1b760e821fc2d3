import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import type { Hono } from "hono";
import type { DeviceView, JobView, PutDevice, SubmitResponse } from "#protocol/api.ts";
import type {
  FinishRequest,
  LogCommitResponse,
  LogUploadResponse,
  RunnerReport,
  SyncRequest,
  SyncResponse,
} from "#protocol/worker-api.ts";
import type { Deps, Settings } from "../../control-plane/domain/deps.ts";
import type { Principal, User } from "../../control-plane/domain/principal.ts";
import { labSettings, writeSettings } from "../../control-plane/domain/lab-settings.ts";
import { authenticate } from "../../control-plane/domain/tokens.ts";
import { system } from "../../control-plane/node-system.ts";
import type { Env } from "../../control-plane/http/route.ts";
import type { System } from "../../control-plane/ports/system.ts";
import { openLab } from "../../control-plane/serve.ts";
import { aDeviceConfiguration, aJob } from "./builders.ts";
import { recordingLavaCalls } from "./recorded-calls.ts";
import { isOnAws } from "./test-engine.ts";

export interface RequestOptions {
  method?: string;
  /** The administrator's when not given; null for none. */
  token?: string | null;
  /** Text is sent as it is, anything else as JSON. */
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export interface EmbeddedLab {
  /** The data folder of the embedded engine. */
  readonly dir: string;
  readonly deps: Deps;
  readonly app: Hono<Env>;
  readonly adminToken: string;
  readonly admin: User;
  /** What the operator was told. */
  readonly messages: string[];
  /** Moves the lab's clock, which stands still otherwise. */
  pass(seconds: number): void;
  /** A request under `/api/v1`, or to a path that is `/blobs/...`, `/sign-in` or `/sign-out`. */
  request(where: string, options?: RequestOptions): Promise<Response>;
  /** The same, read as JSON; throws when it is refused. */
  api<T>(where: string, options?: RequestOptions): Promise<T>;
  /** A user who may see the lab and submit to all of it, as every other user of it then, or an administrator. */
  addUser(name: string, admin?: boolean): Promise<{ token: string; principal: Principal }>;
  /** A user who is granted nothing. */
  addStranger(name: string): Promise<{ token: string; principal: Principal }>;
  addWorker(name?: string, jobLimit?: number): Promise<string>;
  addDevice(hostname: string, overrides?: Partial<PutDevice>): Promise<DeviceView>;
  submit(definition?: string): Promise<number>;
  job(id: number): Promise<JobView>;
  /** One sync of a worker, answered at once unless it asks to wait. */
  sync(token: string, runners?: RunnerReport[], rest?: Partial<SyncRequest>): Promise<SyncResponse>;
  /** Uploads and commits records as the next chunk of a job's log; answers its end. */
  ship(
    jobId: number,
    token: string,
    firstLine: number,
    records: object[],
    events?: string[],
  ): Promise<number>;
  finish(jobId: number, token: string, request: FinishRequest): Promise<Response>;
  /** Resolves when scheduling is at rest. */
  settled(): Promise<void>;
  /** Closes the lab and opens it again on the same data. */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

/**
 * A control plane without a listener: requests go to the app directly. Its clock stands still unless `pass` moves it.
 * The engine is the embedded one on a folder of its own, or with `PUMICE_TEST_ENGINE=aws` the one for AWS on
 * emulators of its own, unless a test names one. Close it after the test.
 */
export async function embeddedLab(
  settings: Partial<Settings> = {},
  engine: "embedded" | "aws" = isOnAws ? "aws" : "embedded",
): Promise<EmbeddedLab> {
  const dir = mkdtempSync(path.join(tmpdir(), "pumice-embedded-lab-"));
  const messages: string[] = [];
  let now = Date.parse("2026-03-01T12:00:00Z");
  const labSystem = {
    ...system,
    now: () => now,
    log: (message: string, context?: Record<string, unknown>) =>
      void messages.push(`${message} ${JSON.stringify(context ?? {})}`),
  };
  const opening = await (engine === "aws" ? onAws : onFolder)({ dir, system: labSystem, settings });
  let lab = await opening.open();
  recordingLavaCalls(lab.app, lab.deps);
  const { adminToken } = lab;
  const admin = (await authenticate(lab.deps, adminToken)) as User;

  const request = async (where: string, options: RequestOptions = {}): Promise<Response> => {
    const {
      token = adminToken,
      body,
      headers,
      method = body === undefined ? "GET" : "POST",
    } = options;
    if (/^https?:/.test(where))
      return fetch(where, {
        method,
        ...(body ? { body: body as BodyInit } : {}),
        headers: withoutLength(headers),
      });
    return lab.app.request(/^\/(blobs\/|sign-(in|out)$)/.test(where) ? where : `/api/v1${where}`, {
      method,
      headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...headers },
      ...(body === undefined
        ? {}
        : { body: isRaw(body) ? (body as BodyInit) : JSON.stringify(body) }),
      ...(options.signal ? { signal: options.signal } : {}),
    });
  };
  const api = async <T>(where: string, options: RequestOptions = {}): Promise<T> => {
    const response = await request(where, options);
    if (!response.ok) throw new Error(`${where}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  };
  const addPerson = async (subject: string, isAdmin: boolean) => {
    const body = { subject, admin: isAdmin };
    const { token } = await api<{ token: string }>("/tokens", { body });
    return { token, principal: (await authenticate(lab.deps, token))! };
  };
  const settled = () => lab.settled();

  return {
    dir,
    adminToken,
    admin,
    messages,
    get deps() {
      return lab.deps;
    },
    get app() {
      return lab.app;
    },
    pass: (seconds) => void (now += seconds * 1000),
    request,
    api,
    settled,
    async addUser(name, isAdmin = false) {
      if (!isAdmin) {
        const { access } = await labSettings(lab.deps);
        const permissions = { ...access.permissions, submit: ["everyone"] };
        await writeSettings(lab.deps, { access: { ...access, permissions } }, { who: "admin" });
      }
      return addPerson(name, isAdmin);
    },
    addStranger: (name) => addPerson(name, false),
    async addWorker(name = "bench", jobLimit = 0) {
      const body = { name, job_limit: jobLimit };
      return (await api<{ token: string }>("/workers", { body })).token;
    },
    async addDevice(hostname, overrides = {}) {
      const body = {
        device_type: "qemu",
        worker: "bench",
        configuration: aDeviceConfiguration(),
        ...overrides,
      };
      const device = await api<DeviceView>(`/devices/${hostname}`, { method: "PUT", body });
      await settled();
      return device;
    },
    async submit(definition = aJob()) {
      const { job_ids } = await api<SubmitResponse>("/jobs", { body: definition });
      await settled();
      return job_ids[0]!;
    },
    job: (id) => api<JobView>(`/jobs/${id}`),
    async sync(token, runners = [], rest = {}) {
      const body = { protocol: 1, version: "test", runners, wait_seconds: 0, ...rest };
      const answer = await api<SyncResponse>("/worker/sync", { token, body });
      await settled();
      return answer;
    },
    async ship(jobId, token, firstLine, records, events) {
      const chunk = aChunk(firstLine, records, events);
      const { first_line, bytes, sha256 } = chunk.commit;
      const upload = await api<LogUploadResponse>(`/jobs/${jobId}/log-uploads`, {
        token,
        body: { first_line, bytes, sha256 },
      });
      const { method, headers } = upload;
      const put = await request(upload.url, { token: null, method, headers, body: chunk.body });
      if (!put.ok) throw new Error(`upload: ${put.status} ${await put.text()}`);
      const where = `/jobs/${jobId}/log-chunks`;
      return (await api<LogCommitResponse>(where, { token, body: chunk.commit })).next_line;
    },
    async finish(jobId, token, body) {
      const response = await request(`/jobs/${jobId}/finish`, { token, body });
      await settled();
      return response;
    },
    async reopen() {
      await lab.close();
      lab = await opening.open();
      recordingLavaCalls(lab.app, lab.deps);
      await settled();
    },
    async close() {
      await lab.close();
      await opening.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

interface OpenLab {
  readonly deps: Deps;
  readonly app: Hono<Env>;
  /** Of the first opening. */
  readonly adminToken: string;
  settled(): Promise<void>;
  close(): Promise<void> | void;
}
interface Opening {
  open(): Promise<OpenLab>;
  close(): Promise<void>;
}
interface Where {
  dir: string;
  system: System;
  settings: Partial<Settings>;
}

async function onFolder({ dir, ...rest }: Where): Promise<Opening> {
  return {
    async open() {
      const lab = await openLab({ dataDir: dir, ...rest });
      return {
        ...lab,
        adminToken: readFileSync(path.join(dir, "admin-token"), "utf8").trim(),
        settled: () => lab.engine.signals.passesDone(),
      };
    },
    close: async () => {},
  };
}

async function onAws({ system, settings }: Where): Promise<Opening> {
  const { startCloud } = await import("./aws/cloud.ts");
  const { openCloudLab } = await import("./aws/cloud-lab.ts");
  const cloud = await startCloud({ now: () => system.now() });
  return {
    open: () => openCloudLab(cloud, cloud.place, system, settings),
    close: () => cloud.close(),
  };
}

/** `fetch` says itself how long a body is. */
const withoutLength = (headers: Record<string, string> = {}) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name !== "content-length"));

/** Log records as a chunk: the bytes to upload and the commit that goes with them. */
export function aChunk(firstLine: number, records: object[], events?: string[]) {
  const body = gzipSync(records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  const results = records.flatMap((record, n) => {
    const { lvl, dt, msg } = record as { lvl?: string; dt?: string; msg?: Record<string, unknown> };
    return lvl === "results" ? [{ line: firstLine + n, dt: dt ?? "", msg: msg ?? {} }] : [];
  });
  const sha256 = createHash("sha256").update(body).digest("hex");
  const { length: count } = records;
  return {
    body,
    commit: {
      ...{ first_line: firstLine, count, bytes: body.length, sha256, results },
      ...(events ? { events } : {}),
    },
  };
}

const isRaw = (body: unknown): boolean => typeof body === "string" || body instanceof Uint8Array;
