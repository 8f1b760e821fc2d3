import { afterEach, beforeEach, expect, test } from "vitest";
import type { AddedWorker, SubmitResponse } from "#protocol/api.ts";
import type { PutReleaseAnswer } from "#protocol/release-api.ts";
import type { LogUploadResponse, SyncResponse } from "#protocol/worker-api.ts";
import { NOTICES_PASS } from "../../control-plane/domain/announcing-table.ts";
import type { ChangeRecord } from "../../control-plane/domain/changes.ts";
import { changesFrom } from "../../control-plane/domain/events/read-changes.ts";
import { deliverNotices } from "../../control-plane/domain/notices/deliver.ts";
import { findJobs } from "../../control-plane/domain/job-list/find-jobs.ts";
import { packedBlocks } from "../../control-plane/domain/job-list/job-blocks.ts";
import { jobItem } from "../../control-plane/domain/job-record.ts";
import { userKey } from "../../control-plane/domain/people-keys.ts";
import { deleteJob } from "../../control-plane/domain/retention/delete-job.ts";
import { schedulePass } from "../../control-plane/domain/schedule.ts";
import { tick } from "../../control-plane/domain/tick.ts";
import { makeFailureLimit } from "../../control-plane/http/failure-limit.ts";
import { createPusher } from "../../control-plane/lava/events/push-events.ts";
import { answerSocket } from "../../control-plane/lava/events/socket-routes.ts";
import { system as nodeSystem } from "../../control-plane/node-system.ts";
import { openCloudLab, type CloudLab } from "../support/aws/cloud-lab.ts";
import { startCloud, type Cloud } from "../support/aws/cloud.ts";
import { startGuard, type Guard } from "../support/aws/guard.ts";
import { aDeviceConfiguration, aJob } from "../support/builders.ts";
import { aRelease, aSigner } from "../support/a-release.ts";
import { aGroupJob, aRole } from "../support/group-job.ts";
import { aChunk } from "../support/embedded-lab.ts";

const ROLES = ["HttpRole", "ScheduleRole", "TickRole", "EventsRole"] as const;
type Role = (typeof ROLES)[number];

/** One lab, opened by each function under its role. */
let cloud: Cloud;
let guards: Record<Role, Guard>;
let labs: Record<Role, CloudLab>;
let now: number;

beforeEach(async () => {
  now = Date.now();
  const system = { ...nodeSystem, now: () => now, log: () => {} };
  cloud = await startCloud({ now: () => now });
  const open = async (role: Role) => {
    const guard = await startGuard(cloud.place, role);
    return [role, guard, await openCloudLab(cloud, guard.place, system)] as const;
  };
  // The API comes first: it makes the first administrator.
  const opened: Awaited<ReturnType<typeof open>>[] = [];
  for (const role of ROLES) opened.push(await open(role));
  guards = Object.fromEntries(opened.map(([role, guard]) => [role, guard])) as typeof guards;
  labs = Object.fromEntries(opened.map(([role, , lab]) => [role, lab])) as typeof labs;
});
afterEach(async () => {
  for (const lab of Object.values(labs)) lab.close();
  for (const guard of Object.values(guards)) await guard.close();
  await cloud.close();
});

async function api<T>(
  where: string,
  {
    token = labs.HttpRole.adminToken,
    body,
    method = body === undefined ? "GET" : "POST",
  }: {
    token?: string;
    body?: unknown;
    method?: string;
  } = {},
): Promise<T> {
  const response = await labs.HttpRole.app.request(`/api/v1${where}`, {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${where}: ${response.status} ${await response.text()}`);
  return (await response.json().catch(() => ({}))) as T;
}

const runPasses = () =>
  cloud.runPasses((what) =>
    what === NOTICES_PASS
      ? deliverNotices(labs.ScheduleRole.deps)
      : schedulePass(labs.ScheduleRole.deps, what),
  );

const sync = (token: string, runners: object[] = []) =>
  api<SyncResponse>("/worker/sync", {
    token,
    body: { protocol: 1, version: "test", runners, wait_seconds: 0, waits: ["queue"] },
  });

/** Whose address the guard refuses: what it takes to get so far is what matters. */
const NOTIFY =
  'notify: {criteria: {status: incomplete, type: regression}, callback: {url: "http://127.0.0.1:9/"}}';

const withQueueTimeout = (definition: string): string =>
  definition.replace("  job: {minutes: 10}", "  job: {minutes: 10}\n  queue: {minutes: 5}");

/** A job from its submission to its running on the worker. */
async function startJob(worker: string): Promise<{ id: number; token: string }> {
  const { job_ids } = await api<SubmitResponse>("/jobs", {
    body: withQueueTimeout(aJob({ lines: [NOTIFY] })),
  });
  const id = job_ids[0] ?? 0;
  await runPasses();
  const { start } = await sync(worker);
  const token = start.find((ticket) => ticket.job_id === id)?.token ?? "";
  await sync(worker, [{ job_id: id, state: "running" }]);
  return { id, token };
}

async function shipAndFinish({ id, token }: { id: number; token: string }): Promise<void> {
  const chunk = aChunk(0, [{ dt: "2026-03-01T12:00:00", lvl: "info", msg: "hello" }]);
  const { bytes, sha256 } = chunk.commit;
  const upload = await api<LogUploadResponse>(`/jobs/${id}/log-uploads`, {
    token,
    body: { first_line: 0, bytes, sha256 },
  });
  const { url, method } = upload;
  const { "content-length": _, ...headers } = upload.headers;
  const put = await fetch(url, { method, headers, body: chunk.body });
  expect(put.status).toBe(200);
  await api(`/jobs/${id}/log-chunks`, { token, body: chunk.commit });
  await api(`/jobs/${id}/finish`, { token, body: { result: "pass", lines: 1 } });
}

/** A person and a worker listen to LAVA's events, hear of a job, and go. */
async function listenToEvents(worker: string): Promise<void> {
  const { deps } = labs.EventsRole;
  const limits = { failures: makeFailureLimit(() => now), trustedProxies: 0 };
  const event = (eventType: "CONNECT" | "DISCONNECT", connectionId: string, token = "") =>
    answerSocket(
      deps,
      { requestContext: { eventType, connectionId }, queryStringParameters: { token } },
      limits,
    );
  const permissions = { submit: ["everyone"] };
  await api("/settings", { method: "PUT", body: { settings: { access: { permissions } } } });
  const { token } = await api<{ token: string }>("/tokens", { body: { subject: "lee" } });
  expect(await event("CONNECT", "worker", worker)).toEqual({ statusCode: 200 });
  expect(await event("CONNECT", "person", token)).toEqual({ statusCode: 200 });
  await api("/jobs", { body: aJob() });
  // As of an older version, which kept no records of people.
  await labs.HttpRole.deps.table.transact([{ delete: userKey("lee") }]);
  const told: string[] = [];
  const push = createPusher(deps, {
    post: async (id) => {
      told.push(id);
      return "sent";
    },
    end: async () => {},
  });
  const changes: ChangeRecord[] = [];
  for await (const one of changesFrom(labs.HttpRole.deps, new Date(now).toISOString()))
    changes.push(one);
  await push(changes);
  expect(told).toContain("person");
  for (const id of ["worker", "person"]) await event("DISCONNECT", id);
}

async function bringAndRemoveRelease(): Promise<void> {
  const signer = aSigner();
  const { version, request, packed } = aRelease(signer, "9.9.9");
  await api("/release-keys", { method: "PUT", body: { pem: signer.publicPem } });
  const put = () => api<PutReleaseAnswer>(`/releases/${version}`, { method: "PUT", body: request });
  for (const { platform, url, headers } of (await put()).uploads) {
    const { "content-length": _, ...more } = headers;
    const body = new Uint8Array(packed.get(platform) ?? []);
    expect((await fetch(url, { method: "PUT", headers: more, body })).status).toBe(200);
  }
  expect((await put()).release).toMatchObject({ ready: true });
  await api(`/releases/${version}`, { method: "DELETE" });
}

/** Those that are Complete by the tick, the others by an administrator. */
async function removeOldJobs(): Promise<void> {
  const rule = (health: string) => ({ older_than_days: 1, health });
  const keep = (...rules: object[]) =>
    api("/settings", {
      method: "PUT",
      body: { settings: { retention: { rules, archive: true } } },
    });
  now += 3 * 24 * 3600_000;
  await keep(rule("Complete"));
  await tick(labs.TickRole.deps);
  await keep(rule("Incomplete"));
  await api("/retention/run", { body: { dry_run: false } });
}

/** Lists of all jobs: the tick packs old ones in short and packs them anew, as does whoever looks through them. */
async function packOldJobs(): Promise<void> {
  const { deps } = labs.HttpRole;
  const admin = { kind: "user", name: "admin", admin: true, groups: [], tokenId: "0" } as const;
  const time = new Date(now).toISOString();
  const ids = [500, 501, 502, 1500, 2500];
  const puts = ids.map((id) => ({
    put: jobItem({
      ...{ id, state: "Finished", health: "Canceled", description: "", device_type: "qemu" },
      ...{ submitter: "ann", priority: 50, tags: [], log_lines: 0 },
      ...{ submit_time: time, end_time: time },
    }),
  }));
  await deps.table.transact(puts);
  const find = () =>
    findJobs(deps, admin, {
      ...{ order: "oldest", columns: ["submitter"], offset: 0, limit: 10 },
      fits: ({ submitter }) => submitter === "ann",
    });
  const blobs = async () => (await packedBlocks(deps, 0, 2000)).get(0)?.data.blob;
  now += 600_000;
  await tick(labs.TickRole.deps);
  const byTick = await blobs();
  expect((await find()).ids).toEqual(ids);
  await deleteJob(deps, admin, 500);
  now += 600_000;
  await tick(labs.TickRole.deps);
  const again = await blobs();
  await deleteJob(deps, admin, 501);
  now += 600_000;
  expect((await find()).ids).toEqual([502, 1500, 2500]);
  expect(new Set([undefined, byTick, again, await blobs()]).size).toBe(4);
}

test("a lab's whole life takes all that its functions' roles allow, and no more", async () => {
  const { token: worker } = await api<AddedWorker>("/workers", { body: { name: "bench" } });
  const device = { device_type: "qemu", worker: "bench", configuration: aDeviceConfiguration() };
  await api("/devices/qemu-01", { method: "PUT", body: device });
  const hook = { url: "http://127.0.0.1:9/", events: ["job.*"] };
  await api("/webhooks", { body: hook });
  const { wait } = await sync(worker);
  const finished = await startJob(worker);
  // The ring of the schedule, by the URL that the API's role signed.
  expect(await (await fetch(wait?.url ?? "")).text()).toContain("<Message>");
  await shipAndFinish(finished);
  await api(`/jobs/${finished.id}/log-chunks?start=0`);
  await api("/jobs");
  await api("/jobs?device=qemu-01");

  await api("/health-checks/qemu", { method: "PUT", body: aJob({ name: "check" }) });
  const { configuration: _, ...board } = { ...device, dictionary: "{% extends 'qemu.jinja2' %}" };
  await api("/devices/qemu-02", { method: "PUT", body: board });
  await runPasses();
  const [check] = (await sync(worker)).start;
  expect(check).toMatchObject({ device_hostname: "qemu-02" });
  const passed = { result: "pass", lines: 0 };
  await api(`/jobs/${check?.job_id}/finish`, { token: check?.token ?? "", body: passed });

  const lost = await startJob(worker);
  now += 40 * 60_000;
  await tick(labs.TickRole.deps);
  await runPasses();
  const { notices } = await api<{ notices: { kind: string }[] }>("/notices");
  expect(new Set(notices.map(({ kind }) => kind))).toEqual(new Set(["callback", "webhook"]));
  expect(await api(`/jobs/${lost.id}`)).toMatchObject({ health: "Incomplete" });
  await sync(worker);
  await api("/jobs", { body: aJob() });
  await tick(labs.TickRole.deps);
  // Of a group nobody has a device in time, and with one job go all.
  const group = withQueueTimeout(aGroupJob({ server: aRole(), client: aRole(0) }));
  const { job_ids } = await api<SubmitResponse>("/jobs", { body: group });
  now += 10 * 60_000;
  await tick(labs.TickRole.deps);
  expect(await api(`/jobs/${job_ids[0]}`)).toMatchObject({ health: "Canceled" });

  await api("/devices/qemu-01/health", { body: { health: "Maintenance" } });
  await api("/tags/t", { method: "PUT", body: { description: "" } });
  await api("/tags/t", { method: "DELETE" });
  await api("/backup/items");
  await api(`/backup/jobs/${finished.id}`);
  const spare = await api<AddedWorker>("/workers", { body: { name: "spare" } });
  await sync(spare.token);
  await api("/workers/spare", { method: "DELETE" });
  await bringAndRemoveRelease();
  const photos = "/devices/qemu-01/photos";
  const { id: photo } = await api<{ id: string }>(photos, { body: "RIFF0000WEBP" });
  await api(`${photos}/${photo}`);
  await api(`${photos}/${photo}`, { method: "DELETE" });
  await api(`/jobs/${finished.id}/suites`);
  await listenToEvents(worker);
  await removeOldJobs();
  await expect(api(`/jobs/${finished.id}`)).rejects.toThrow("404");
  await packOldJobs();
  const refused = Object.fromEntries(ROLES.map((role) => [role, guards[role].refused()]));
  expect(refused).toEqual({ HttpRole: [], ScheduleRole: [], TickRole: [], EventsRole: [] });
  const unused = ROLES.map((role) => guards[role].unused().filter((deed) => !isLog(deed)));
  expect(unused).toEqual([
    // S3 asks for it when a blob is absent; the emulator does not. Polls and tags: see the guard, and the template.
    ["s3:ListBucket bucket", "sqs:ReceiveMessage workers-queue", "sqs:TagQueue workers-queue"],
    // Lambda's own, in the function's name.
    [
      "s3:ListBucket bucket",
      "sqs:DeleteMessage passes",
      "sqs:GetQueueAttributes passes",
      "sqs:ReceiveMessage passes",
    ],
    // For a job that gets its device just as its queue time-out ends it.
    ["s3:ListBucket bucket", "sqs:SendMessage workers-queue"],
    // Of the stream that Lambda reads for it, and of API Gateway, whose calls don't come through the guard.
    [
      "dynamodb:DescribeStream stream",
      "dynamodb:GetRecords stream",
      "dynamodb:GetShardIterator stream",
      "dynamodb:ListStreams stream",
      "execute-api:ManageConnections other",
    ],
  ]);
});

const isLog = (deed: string): boolean => deed.startsWith("logs:");
