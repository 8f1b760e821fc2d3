import { createAdaptorServer } from "@hono/node-server";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request as httpRequest, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { JobView, SubmitResponse } from "#protocol/api.ts";
import type { LogUploadResponse, SyncResponse } from "#protocol/worker-api.ts";
import { jobItem, type JobRecord } from "../control-plane/domain/job-record.ts";
import { openLab, serve, type Serving } from "../control-plane/serve.ts";
import { aDeviceConfiguration, aJob } from "./support/builders.ts";
import { aChunk } from "./support/embedded-lab.ts";

let dir: string;
let serving: Serving;
const start = async () => {
  serving = await serve({ dataDir: path.join(dir, "data"), listen: "127.0.0.1:0" });
};
beforeEach(async () => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-serve-"));
  await start();
});
afterEach(async () => {
  await serving.close();
  rmSync(dir, { recursive: true, force: true });
});

const adminToken = () => readFileSync(path.join(dir, "data/admin-token"), "utf8").trim();

async function api<T>(
  where: string,
  { method, token = adminToken(), body }: { method?: string; token?: string; body?: unknown } = {},
): Promise<T> {
  const answer = await fetch(`${serving.url}/api/v1${where}`, {
    method: method ?? (body === undefined ? "GET" : "POST"),
    headers: { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${where}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

const syncBody = (rest = {}) => ({
  protocol: 1,
  version: "1",
  runners: [],
  wait_seconds: 60,
  ...rest,
});

async function addBench(): Promise<string> {
  const { token } = await api<{ token: string }>("/workers", { body: { name: "bench" } });
  const body = { device_type: "qemu", worker: "bench", configuration: aDeviceConfiguration() };
  await api("/devices/qemu-01", { method: "PUT", body });
  return token;
}

test("the first start makes the administrator's token, later ones keep it", async () => {
  const token = adminToken();
  await api("/jobs");
  await serving.close();
  await start();
  expect(adminToken()).toBe(token);
  await api("/jobs");
});

test("a start that crashed after writing the token file makes that token valid", async () => {
  await serving.close();
  const token = adminToken();
  rmSync(path.join(dir, "data"), { recursive: true });
  await start();
  await serving.close();
  for (const name of ["table.sqlite", "table.sqlite-wal", "table.sqlite-shm"]) {
    rmSync(path.join(dir, "data", name), { force: true });
  }
  writeFileSync(path.join(dir, "data/admin-token"), `${token}\n`);
  await start();
  expect(adminToken()).toBe(token);
  await api("/jobs");
});

test("a second server on the same data is refused, and so is a taken port", async () => {
  const again = serve({ dataDir: path.join(dir, "data"), listen: "127.0.0.1:0" });
  await expect(again).rejects.toThrow(/in use by another control plane/);
  const other = path.join(dir, "other");
  const taken = { dataDir: other, listen: new URL(serving.url).host };
  await expect(serve(taken)).rejects.toThrow(/EADDRINUSE/);
  expect(existsSync(other)).toBe(true);
  await (await serve({ dataDir: other, listen: "127.0.0.1:0" })).close();
});

test.each(["8400", "localhost", "a:b:1", "127.0.0.1:70000"])(
  "%s is no place to listen on",
  async (listen) => {
    await expect(serve({ dataDir: dir, listen })).rejects.toThrow(/HOST:PORT/);
  },
);

test("a job runs from submission to its end over a real socket", async () => {
  const worker = await addBench();
  const { seen } = await api<SyncResponse>("/worker/sync", { token: worker, body: syncBody() });
  const held = api<SyncResponse>("/worker/sync", { token: worker, body: syncBody({ seen }) });
  const { job_ids } = await api<SubmitResponse>("/jobs", { body: aJob() });
  const [ticket] = (await held).start;
  expect(ticket).toMatchObject({ job_id: job_ids[0], definition: aJob() });

  const { token, job_id } = ticket!;
  const chunk = aChunk(0, [{ lvl: "info", msg: "hello" }]);
  const { first_line, bytes, sha256 } = chunk.commit;
  const upload = await api<LogUploadResponse>(`/jobs/${job_id}/log-uploads`, {
    token,
    body: { first_line, bytes, sha256 },
  });
  const put = await fetch(new URL(upload.url, serving.url), {
    method: upload.method,
    headers: upload.headers,
    body: chunk.body,
  });
  expect(put.status).toBe(200);
  await api(`/jobs/${job_id}/log-chunks`, { token, body: chunk.commit });
  await api(`/jobs/${job_id}/finish`, { token, body: { result: "pass", lines: 1 } });
  expect(await api<JobView>(`/jobs/${job_id}`)).toMatchObject({
    state: "Finished",
    health: "Complete",
  });
});

test("a job that was submitted before a restart is scheduled after it, with no new event", async () => {
  const worker = await addBench();
  await api("/devices/qemu-01/health", { body: { health: "Maintenance" } });
  await api("/worker/sync", { token: worker, body: syncBody({ wait_seconds: 0 }) });
  await api("/jobs", { body: aJob() });
  await api("/devices/qemu-01/health", { body: { health: "Good" } });
  await serving.close();
  await start();
  const held = api<SyncResponse>("/worker/sync", { token: worker, body: syncBody() });
  expect((await held).start).toHaveLength(1);
});

test("closing answers who waits", async () => {
  const worker = await addBench();
  const first = await api<SyncResponse>("/worker/sync", { token: worker, body: syncBody() });
  const { seen } = first;
  const held = new Promise<{ status: number; text: string }>((resolve, reject) => {
    const body = JSON.stringify(syncBody({ seen }));
    const request = httpRequest(`${serving.url}/api/v1/worker/sync`, {
      method: "POST",
      headers: { authorization: `Bearer ${worker}`, expect: "100-continue" },
    });
    request.on("response", (response) => {
      let text = "";
      response.on("data", (data: Buffer) => (text += String(data)));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    request.on("error", reject);
    // The server has the request in hand once it asks for the body.
    request.on("continue", () => {
      request.end(body);
      void serving.close();
    });
    request.flushHeaders();
  });
  const { status, text } = await held;
  expect([status, (JSON.parse(text) as SyncResponse).seen]).toEqual([200, seen]);
});

test("LAVA's event stream is on the same port, and ends with it", async () => {
  const stream = new WebSocket(`${serving.url.replace("http", "ws")}/ws/?token=${adminToken()}`);
  await once(stream, "open");
  const told = once(stream, "message");
  await addBench();
  const [{ data }] = (await told) as [{ data: string }];
  expect(data).toMatch(/^\["org\.lavasoftware\.(worker|device)"/);
  const ended = once(stream, "close");
  await serving.close();
  await ended;
});

test("a client that hangs up ends its wait", async () => {
  const lab = await openLab({ dataDir: path.join(dir, "other") });
  let handled: Response | Promise<Response> | undefined;
  const fetchApp = (request: Request) => (handled = lab.app.fetch(request));
  const server = createAdaptorServer({ fetch: fetchApp }) as Server;
  try {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/jobs/1/log?wait=60`;
    const { signals } = lab.deps;
    const listen = vi.spyOn(signals, "listen");
    const waiting = new Promise<AbortSignal>((resolve) => {
      listen.mockImplementation(() => ({
        rung: (_, signal) => {
          resolve(signal!);
          return new Promise((done) => signal!.addEventListener("abort", () => done(false)));
        },
        close: () => {},
      }));
    });
    await lab.deps.table.transact([{ put: jobItem(aRecord) }]);
    const token = readFileSync(path.join(dir, "other/admin-token"), "utf8").trim();
    const leave = new AbortController();
    const request = fetch(url, {
      headers: { authorization: `Bearer ${token}` },
      signal: leave.signal,
    }).catch((error: unknown) => error);
    const signal = await waiting;
    const ended = once(signal, "abort");
    leave.abort();
    await ended;
    expect(signal.aborted).toBe(true);
    await request;
    await handled;
  } finally {
    server.close();
    server.closeAllConnections();
    await lab.close();
  }
});

const aRecord: JobRecord = {
  id: 1,
  state: "Running",
  health: "Unknown",
  description: "",
  device_type: "qemu",
  submitter: "admin",
  priority: 50,
  tags: [],
  submit_time: "2026-03-01T12:00:00.000Z",
  log_lines: 0,
};

test("an upload that was not signed by this lab, or says more than was signed, is refused", async () => {
  const put = (where: string) =>
    fetch(`${serving.url}/blobs/${where}`, { method: "PUT", body: "x" }).then(
      ({ status }) => status,
    );
  expect(await put("jobs/1/definition.yaml")).toBe(403);
  expect(await put("%2e%2e%2ftable.sqlite?expires=99999999999&length=1&sha256=0&signature=0")).toBe(
    403,
  );
});

test("a link signs the first browser in, once; who has signed in is shown no other", async () => {
  const signIn = (code: string) =>
    fetch(`${serving.url}/sign-in`, {
      method: "POST",
      redirect: "manual",
      headers: { "sec-fetch-site": "same-origin" },
      body: new URLSearchParams({ code }),
    });
  const link = new URL((await serving.firstSignInLink())!);
  expect(link.origin).toBe(serving.url);
  const code = link.searchParams.get("code")!;
  const answer = await signIn(code);
  expect([answer.status, answer.headers.get("location")]).toEqual([303, "/"]);
  const cookie = answer.headers.get("set-cookie")!.split(";")[0]!;
  expect((await fetch(`${serving.url}/admin`, { headers: { cookie } })).status).toBe(200);
  expect((await signIn(code)).status).toBe(401);
  expect(await serving.firstSignInLink()).toBeUndefined();
  await serving.close();
  await start();
  expect(await serving.firstSignInLink()).toBeUndefined();
  // Signing out takes the session away, not what the administrator knows.
  const headers = { cookie, "sec-fetch-site": "same-origin" };
  await fetch(`${serving.url}/sign-out`, { method: "POST", redirect: "manual", headers });
  expect((await fetch(`${serving.url}/admin`, { headers: { cookie } })).status).not.toBe(200);
  expect(await serving.firstSignInLink()).toBeUndefined();
});

test("who has used the first token is shown no link", async () => {
  await api("/jobs");
  expect(await serving.firstSignInLink()).toBeUndefined();
});
