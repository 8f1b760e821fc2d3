import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { createHash, randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import path from "node:path";
import { inflateRawSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { JobList, JobView } from "#protocol/api.ts";
import type { DryRun } from "#protocol/dry-run.ts";
import type { SyncResponse } from "#protocol/worker-api.ts";
import { startCloud, type Cloud } from "../support/aws/cloud.ts";
import { aDeviceConfiguration, aJob } from "../support/builders.ts";
import { listenTo } from "../support/lambda/event-listener.ts";
import { startLambda, type Gateway } from "../support/lambda/gateway.ts";
import { startSocketFront, type SocketFront } from "../support/lambda/socket-front.ts";
import { startStreamSource, type StreamSource } from "../support/lambda/stream-source.ts";

const { bundleLambda } = (await import(
  new URL("../../scripts/bundle-lambda.mjs", import.meta.url).href
)) as { bundleLambda: (outDir: string) => Promise<void> };

let dir: string;
let cloud: Cloud;
let lambda: Gateway;
let sockets: SocketFront;
let stream: StreamSource;
const tokenId = randomBytes(8).toString("hex");
const adminToken = `pumice_${tokenId}_${randomBytes(32).toString("base64url")}`;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "pumice-lambda-"));
  await bundleLambda(path.join(dir, "lambda"));
  cloud = await startCloud();
  const hash = createHash("sha256").update(adminToken).digest("hex");
  const { region, credentials, passesQueueUrl: url } = cloud.place;
  const invoke = (event: unknown) => lambda.invoke("events", event);
  sockets = await startSocketFront({ invoke, region, credentials });
  stream = startStreamSource(cloud.dynamodb, invoke);
  lambda = await startLambda({
    bundleFolder: path.join(dir, "lambda"),
    env: {
      ...cloud.env,
      PUMICE_FIRST_ADMIN: `${tokenId}:${hash}`,
      PUMICE_LOG_LEVEL: "debug",
      PUMICE_CONNECTIONS_URL: sockets.connectionsUrl,
      PUMICE_EVENTS_URL: sockets.connectionsUrl,
    },
    functions: {
      // As short as a hold's end needs.
      http: { handler: "http.handler", timeoutMs: 4_000 },
      schedule: { handler: "schedule.handler" },
      tick: { handler: "tick.handler" },
      events: { handler: "events.handler" },
    },
    passesQueue: { url, region, credentials, endpoint: cloud.storage.sqsEndpoint },
  });
}, 60_000);

afterAll(async () => {
  await sockets?.close();
  await stream?.close();
  await lambda?.close();
  await cloud?.close();
  await rm(dir, { recursive: true, force: true });
});

beforeEach(() => lambda.settled());

function request(
  where: string,
  { token = adminToken, ...init }: RequestInit & { token?: string } = {},
) {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  return fetch(`${lambda.url}${where}`, { headers, ...init });
}

async function api<T>(where: string, body?: unknown, method = "POST", token?: string): Promise<T> {
  const answer = await request(`/api/v1${where}`, {
    ...(body === undefined ? {} : { method, body: JSON.stringify(body) }),
    ...(token === undefined ? {} : { token }),
  });
  if (!answer.ok) throw new Error(`${where}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

describe("the lab", () => {
  test("has the first administrator of its stack, after each cold start", async () => {
    expect((await request("/api/v1/jobs")).status).toBe(200);
    await lambda.recycle();
    expect((await request("/api/v1/jobs")).status).toBe(200);
    expect((await request("/api/v1/jobs", { token: `${adminToken}x` })).status).toBe(401);
  });

  test("has its schema, pages and assets beside its code", async () => {
    const schema = await request("/schemas/job.json");
    const file = path.resolve(import.meta.dirname, "../../docs/job.schema.json");
    expect(await schema.text()).toBe(await readFile(file, "utf8"));
    const page = await (await fetch(`${lambda.url}/sign-in`)).text();
    const [, asset] = /href="(\/assets\/style-[^"]+)"/.exec(page) ?? [];
    const style = await fetch(`${lambda.url}${asset}`);
    expect([style.status, style.headers.get("content-type")]).toEqual([
      200,
      "text/css; charset=utf-8",
    ]);
  });

  test("schedules a job for a worker that waits at its queue", async () => {
    const { token } = await api<{ token: string }>("/workers", { name: "bench" });
    const device = { device_type: "qemu", worker: "bench", configuration: aDeviceConfiguration() };
    await api("/devices/qemu-01", device, "PUT");
    const sync = (): Promise<SyncResponse> =>
      api(
        "/worker/sync",
        { protocol: 1, version: "test", runners: [], wait_seconds: 0, waits: ["queue"] },
        "POST",
        token,
      );
    const { wait, start } = await sync();
    expect([wait?.kind, start]).toEqual(["queue", []]);
    const submitted = await request("/api/v1/jobs", { method: "POST", body: aJob() });
    const { job_ids } = (await submitted.json()) as { job_ids: number[] };
    const rung = await fetch(wait!.url);
    expect(await rung.text()).toContain("<Message>");
    const { start: tickets } = await sync();
    expect(tickets.map(({ job_id }) => job_id)).toEqual(job_ids);
    expect(await api<JobView>(`/jobs/${job_ids[0]}`)).toMatchObject({ device: "qemu-01" });
  });

  test("says what a worker would do for a job, by the planner beside its code", async () => {
    const answer = await request("/api/v1/jobs/dry-run", { method: "POST", body: aJob() });
    const { jobs } = (await answer.json()) as DryRun;
    expect(jobs[0]?.plan?.steps?.map(({ strategy }) => strategy)).toEqual([
      "deploy:tmpfs",
      "boot:qemu",
      "test:definition",
      "finalize",
    ]);
  });

  test("schedules a job whose submission died after it was written and before anybody was told", async () => {
    const device = { device_type: "qemu", worker: "bench", configuration: aDeviceConfiguration() };
    await api("/devices/qemu-02", device, "PUT");
    cloud.dynamodb.watch((operation, body) => {
      const writesJob = operation === "TransactWriteItems" && JSON.stringify(body).includes("job#");
      if (writesJob) lambda.kill("http");
    });
    const lost = await request("/api/v1/jobs", { method: "POST", body: aJob() });
    cloud.dynamodb.watch(undefined);
    expect(lost.status).toBe(500);
    const [job, ...others] = (await api<JobList>("/jobs")).jobs;
    expect(others).toHaveLength(1);
    await lambda.tick();
    await expect.poll(async () => (await api<JobView>(`/jobs/${job?.id}`)).state).toBe("Scheduled");
  });

  test("answers who is held before the function's time is over", async () => {
    const { token } = await api<{ token: string }>("/workers", { name: "slow" });
    const body = { protocol: 1, version: "test", runners: [], wait_seconds: 50 };
    const first = await api<SyncResponse>(
      "/worker/sync",
      { ...body, wait_seconds: 0 },
      "POST",
      token,
    );
    const held = await api<SyncResponse>(
      "/worker/sync",
      { ...body, seen: first.seen },
      "POST",
      token,
    );
    expect(held).toEqual(first);
  });

  test("says that it is busy while its table is, and goes on after that", async () => {
    cloud.dynamodb.fail({ operation: "GetItem", kind: "error500", times: 6 });
    const answer = await request("/api/v1/jobs");
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await answer.json()).toMatchObject({ code: "unavailable" });
    expect((await request("/api/v1/jobs")).status).toBe(200);
  });

  test("ticks", async () => {
    lambda.meter.reset();
    await lambda.tick();
    expect(lambda.meter.read()["tick"]).toMatchObject({ invocations: 1, errors: 0 });
  });

  test("writes lines of JSON that name the invocation, and no token", async () => {
    await request("/api/v1/jobs?secret=x");
    const lines = () => lambda.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    await expect
      .poll(() => lines().at(-1))
      .toMatchObject({ level: "DEBUG", message: "request", path: "/api/v1/jobs", status: 200 });
    expect(lines().at(-1)?.["invocation"]).toMatch(/^[0-9a-f-]{36}$/);
    expect(lambda.lines.join("\n")).not.toMatch(/pumice_|secret=/);
  });
});

describe("LAVA's event stream", () => {
  test("is where the lab's own address sends its clients", async () => {
    const answer = await fetch(`${lambda.url}/ws/?token=a%2Fb`, { redirect: "manual" });
    const to = answer.headers.get("location");
    expect([answer.status, to]).toEqual([307, `${sockets.connectionsUrl}?token=a%2Fb`]);
  });

  test("tells who listens, by the table's stream, also after a cold start", async () => {
    await expect(listenTo(sockets.url)).rejects.toThrow("401");
    const { token } = await api<{ token: string }>("/workers", { name: "stock" });
    const admin = await listenTo(sockets.url, { authorization: `Token ${adminToken}` });
    const worker = await listenTo(`${sockets.url}?token=${token}`);
    await lambda.recycle();
    const answer = await request("/api/v1/jobs", { method: "POST", body: aJob() });
    const { job_ids } = (await answer.json()) as { job_ids: [number] };
    const told = await admin.next("testjob", { job: job_ids[0] });
    expect(told).toMatchObject({ state: "Submitted", device_type: "qemu" });
    await stream.settled();
    // It is none of the worker's.
    expect(worker.rest()).toEqual([]);
    await request(`/api/v1/tokens/${token.split("_")[1]}`, { method: "DELETE" });
    await worker.closed;
    admin.socket.close();
    await admin.closed;
  });

  test("tells them what happened while the table was away, once it is back", async () => {
    const admin = await listenTo(`${sockets.url}?token=${adminToken}`);
    await stream.settled();
    await lambda.settled();
    const before = stream.calls();
    // Each call of the SDK tries six times.
    cloud.dynamodb.watch((operation, body) => {
      const isOfListeners = operation === "Query" && JSON.stringify(body).includes("listeners");
      if (isOfListeners) cloud.dynamodb.fail({ operation, kind: "error500", times: 6 });
      if (isOfListeners) cloud.dynamodb.watch(undefined);
    });
    await api("/workers", { name: "late" });
    await stream.settled();
    expect(stream.calls()).toBe(before + 2);
    await request("/api/v1/jobs", { method: "POST", body: aJob() });
    expect(await admin.next("testjob")).toMatchObject({ state: "Submitted" });
    admin.socket.terminate();
  });

  test("says nothing to anybody when nobody listens", async () => {
    await expect.poll(() => sockets.open()).toEqual([]);
    await stream.settled();
    lambda.meter.reset();
    const posts = sockets.posts.length;
    await request("/api/v1/jobs", { method: "POST", body: aJob() });
    await stream.settled();
    expect(lambda.meter.read()["events"]?.invocations).toBeGreaterThan(0);
    expect(sockets.posts.length).toBe(posts);
  });
});

test("a pass that fails comes again, the others of its batch do not", async () => {
  const Records = ["one", "two", "two"].map((body, n) => ({ messageId: String(n), body }));
  // Each of both tries six times: one meets six of them, the other at most five.
  cloud.dynamodb.fail({ operation: "Query", kind: "error500", times: 11 });
  const answer = JSON.parse(await lambda.invoke("schedule", { Records })) as {
    batchItemFailures: { itemIdentifier: string }[];
  };
  const failed = answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
  expect([["0"], ["1", "2"]]).toContainEqual(failed);
});

describe("the bundle", () => {
  test("is one zip, the same for the same sources", async () => {
    const again = path.join(dir, "again");
    await bundleLambda(again);
    const [zip, second] = await Promise.all([
      readFile(path.join(dir, "lambda.zip")),
      readFile(`${again}.zip`),
    ]);
    expect(zip.equals(second)).toBe(true);
    const files = filesOf(zip);
    const found = await readdir(again, { recursive: true, withFileTypes: true });
    expect(files.size).toBe(found.filter((entry) => entry.isFile()).length);
    for (const name of ["http.mjs", "schedule.mjs", "tick.mjs", "events.mjs", "ui/style.css"]) {
      expect(files.get(name)?.equals(await readFile(path.join(again, name)))).toBe(true);
    }
  });

  test.each(["http", "schedule", "tick", "events"])(
    "has less than 450 kB to load before %s answers",
    async (name) => {
      const folder = path.join(dir, "lambda");
      const files = await loadedBy(folder, `${name}.mjs`);
      const sizes = await Promise.all(files.map((file) => stat(path.join(folder, file))));
      expect(sizes.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(450_000);
    },
  );
});

/** A module and all that it imports before it runs. */
async function loadedBy(folder: string, entry: string): Promise<string[]> {
  const files = new Set([entry]);
  for (const file of files) {
    const text = await readFile(path.join(folder, file), "utf8");
    for (const [, name = ""] of text.matchAll(/(?:\bfrom|\bimport)"\.\/([^"]+)"/g)) files.add(name);
  }
  return [...files];
}

/** By the zip's directory at its end, as every reader does it. */
function filesOf(zip: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  const end = zip.length - 22;
  expect(zip.readUInt32LE(end)).toBe(0x06054b50);
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const [packed, nameLength, local] = [20, 28, 42].map((n) =>
      n === 28 ? zip.readUInt16LE(at + n) : zip.readUInt32LE(at + n),
    ) as [number, number, number];
    const name = zip.toString("utf8", at + 46, at + 46 + nameLength);
    const from = local + 30 + nameLength;
    files.set(name, inflateRawSync(zip.subarray(from, from + packed)));
    at += 46 + nameLength;
  }
  return files;
}
