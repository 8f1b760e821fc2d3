import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { aSigner } from "../support/a-release.ts";
import { aDeviceConfiguration, aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

type Kind = "admin" | "user" | "worker" | "job" | "other job";

let lab: EmbeddedLab;
const tokens = {} as Record<Kind, string>;
beforeAll(async () => {
  lab = await embeddedLab();
  const worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.addDevice("qemu-02");
  await lab.sync(worker);
  await lab.submit();
  await lab.submit();
  const { start } = await lab.sync(worker);
  Object.assign(tokens, {
    admin: lab.adminToken,
    user: (await lab.addUser("alice")).token,
    worker,
    job: start[0]!.token,
    "other job": start[1]!.token,
  });
});
afterAll(() => lab.close());

const people: Kind[] = ["admin", "user"];
const everybody: Kind[] = ["admin", "user", "worker", "job", "other job"];
const device = {
  device_type: "qemu",
  worker: "bench",
  configuration: aDeviceConfiguration(),
};

/** Every route under /api/v1 but health and enrol, who may use it, and what it answers them. */
const routes: [method: string, path: string, who: Kind[], status: number, body?: unknown][] = [
  ["GET", "/jobs", people, 200],
  ["POST", "/jobs", people, 201, aJob()],
  ["GET", "/jobs/1", people, 200],
  ["GET", "/jobs/1/definition", people, 200],
  // It is in no group.
  ["GET", "/jobs/1/multinode-definition", people, 404],
  ["GET", "/jobs/1/log", people, 200],
  ["GET", "/jobs/1/log?format=yaml", people, 200],
  ["GET", "/jobs/1/log-chunks", people, 200],
  ["GET", "/jobs/1/results", people, 200],
  ["GET", "/jobs/1/results?format=junit", people, 200],
  ["PATCH", "/jobs/1", ["admin"], 409, { priority: "high" }],
  ["GET", "/jobs/1/history", people, 200],
  ["POST", "/jobs/2/fail", ["admin"], 409, {}],
  ["POST", "/jobs/2/cancel", ["admin"], 200],
  ["GET", "/devices", people, 200],
  ["GET", "/devices/qemu-01", people, 200],
  ["GET", "/devices/qemu-01/history", people, 200],
  ["GET", "/devices/qemu-01/configuration", people, 200],
  ["PUT", "/devices/qemu-03", ["admin"], 200, device],
  ["POST", "/devices/qemu-03/health", ["admin"], 200, { health: "Bad" }],
  ["POST", "/devices/qemu-03/health-check", ["admin"], 409, {}],
  // No job has it.
  ["POST", "/devices/qemu-03/release", ["admin"], 409],
  ["DELETE", "/devices/qemu-03", ["admin"], 204],
  ["GET", "/devices/qemu-01/config", people, 200],
  ["GET", "/devices/qemu-01/dictionary", people, 200],
  ["PUT", "/devices/qemu-02/dictionary", ["admin"], 200, "{% extends 'qemu.jinja2' %}\n"],
  ["GET", "/devices/qemu-02/versions", people, 200],
  ["POST", "/devices/qemu-02/put-back", ["admin"], 200, { version: 1 }],
  ["GET", "/device-types", people, 200],
  ["PUT", "/device-types/new", ["admin"], 200, {}],
  ["GET", "/device-types/new", people, 200],
  ["DELETE", "/device-types/new", ["admin"], 204],
  ["GET", "/templates", people, 200],
  ["PUT", "/templates/own.jinja2", ["admin"], 200, "{% extends 'qemu.jinja2' %}\n"],
  ["GET", "/templates/own.jinja2", people, 200],
  ["GET", "/templates/own.jinja2/versions", people, 200],
  ["GET", "/templates/own.jinja2/versions/1", people, 200],
  ["POST", "/templates/own.jinja2/put-back", ["admin"], 200, { version: 1 }],
  ["DELETE", "/templates/own.jinja2", ["admin"], 204],
  ["GET", "/health-checks", people, 200],
  ["PUT", "/health-checks/new", ["admin"], 200, aJob()],
  ["GET", "/health-checks/new", people, 200],
  ["GET", "/health-checks/new/versions", people, 200],
  ["GET", "/health-checks/new/versions/1", people, 200],
  ["POST", "/health-checks/new/put-back", ["admin"], 200, { version: 1 }],
  ["DELETE", "/health-checks/new", ["admin"], 204],
  ["GET", "/aliases", people, 200],
  ["PUT", "/aliases/new", ["admin"], 200, { device_type: "qemu" }],
  ["DELETE", "/aliases/new", ["admin"], 204],
  ["GET", "/tags", people, 200],
  ["PUT", "/tags/new", ["admin"], 200, { description: "it has this" }],
  ["DELETE", "/tags/new", ["admin"], 204],
  ["GET", "/groups", people, 200],
  ["PUT", "/groups/new", ["admin"], 200, { members: ["alice"] }],
  ["DELETE", "/groups/new", ["admin"], 204],
  ["GET", "/lab", ["admin"], 200],
  ["POST", "/lab/plan", ["admin"], 200, { lab: {} }],
  ["POST", "/lab/apply", ["admin"], 200, { lab: {} }],
  ["GET", "/reservations", people, 200],
  ["POST", "/reservations", people, 404, { device: "none", seconds: 60 }],
  ["POST", "/reservations/none/extend", people, 404, { seconds: 60 }],
  ["DELETE", "/reservations/none", people, 404],
  ["GET", "/queue?device_type=qemu", people, 200],
  ["GET", "/windows", people, 200],
  [
    "PUT",
    "/windows/new",
    ["admin"],
    200,
    { lab: true, weekly: { days: ["sat"], at: "22:00", minutes: 60 } },
  ],
  ["DELETE", "/windows/new", ["admin"], 204],
  ["GET", "/events?follow=false", people, 200],
  ["GET", "/webhooks", ["admin"], 200],
  ["POST", "/webhooks", ["admin"], 201, { url: "https://ci.test/", events: ["job.finished"] }],
  ["POST", "/webhooks/none/enable", ["admin"], 404],
  ["DELETE", "/webhooks/none", ["admin"], 404],
  ["PUT", "/smtp-password", ["admin"], 204, { value: "s3cret" }],
  ["DELETE", "/smtp-password", ["admin"], 204],
  ["GET", "/notices", ["admin"], 200],
  ["GET", "/notices?job=1", ["admin"], 200],
  ["GET", "/notices/none", people, 404],
  ["POST", "/notices/none/replay", people, 404],
  ["GET", "/settings", ["admin"], 200],
  ["PUT", "/settings", ["admin"], 200, { settings: {} }],
  ["GET", "/workers", people, 200],
  ["GET", "/workers/bench", people, 200],
  ["POST", "/workers", ["admin"], 201, { name: "new" }],
  ["PUT", "/workers/new", ["admin"], 200, { description: "new" }],
  ["GET", "/workers/new/settings", ["admin"], 200],
  ["GET", "/workers/new/history", people, 200],
  ["POST", "/workers/new/health", ["admin"], 200, { health: "Maintenance" }],
  ["POST", "/workers/new/enrolment", ["admin"], 201, {}],
  ["GET", "/worker/devices", ["worker"], 200],
  ["DELETE", "/workers/new", ["admin"], 204],
  [
    "POST",
    "/worker/sync",
    ["worker"],
    200,
    { protocol: 1, version: "1", runners: [], wait_seconds: 0 },
  ],
  ["PUT", "/workers/bench/pin", ["admin"], 404, { version: "9.9.9" }],
  ["DELETE", "/workers/bench/pin", ["admin"], 200],
  ["PUT", "/release-keys", ["admin"], 200, { pem: aSigner().publicPem }],
  ["GET", "/release-keys", people, 200],
  ["DELETE", "/release-keys/none", ["admin"], 404],
  ["GET", "/releases", people, 200],
  ["PUT", "/releases/none", ["admin"], 400, { manifest: "", signature: "", files: [] }],
  ["GET", "/releases/none", people, 404],
  ["DELETE", "/releases/none", ["admin"], 404],
  ["GET", "/rollout", people, 200],
  ["POST", "/rollout", ["admin"], 404, { version: "9.9.9" }],
  ["POST", "/rollout/next", ["admin"], 404],
  ["POST", "/rollout/stop", ["admin"], 404],
  ["GET", "/tokens", people, 200],
  ["POST", "/tokens", ["admin"], 201, { subject: "bob" }],
  ["DELETE", "/tokens/none", people, 404],
  ["POST", "/tokens/none/rotate", people, 404, {}],
  ["POST", "/sign-in-links", people, 201],
  ["PUT", "/users/new/password", ["admin"], 404, { password: "a few words will do" }],
  ["POST", "/users/new/password-links", ["admin"], 404],
  ["POST", "/users/new/sign-out", ["admin"], 200, {}],
  ["GET", "/secrets", people, 200],
  ["PUT", "/secrets/new", people, 200, { value: "glpat-1" }],
  ["DELETE", "/secrets/new", people, 204],
  ["PUT", "/sign-in-secrets/new", ["admin"], 204, { value: "shared" }],
  ["DELETE", "/sign-in-secrets/new", ["admin"], 204],
  ["GET", "/backup/items", ["admin"], 200],
  ["GET", "/backup/jobs/1", ["admin"], 200],
  ["PUT", "/backup/closed", ["admin"], 200],
  ["GET", "/backup/state", ["admin"], 200],
  ["DELETE", "/backup/closed", ["admin"], 200],
  // This lab is not a new one, so there is nothing to restore into it.
  ["PUT", "/backup/restore/0123456789abcdef", ["admin"], 409, { format: 1 }],
  ["PUT", "/backup/restore/0123456789abcdef/items", ["admin"], 409, { items: [] }],
  ["PUT", "/backup/restore/0123456789abcdef/blobs", ["admin"], 409, { blobs: [] }],
  ["PUT", "/backup/restore/0123456789abcdef/settle", ["admin"], 409, {}],
  ["PUT", "/backup/restore/0123456789abcdef/end", ["admin"], 409],
  ["POST", "/jobs/1/multinode/group", ["job"], 409],
  ["POST", "/jobs/1/multinode/send", ["job"], 409, { message_id: "m" }],
  ["POST", "/jobs/1/multinode/wait", ["job"], 409, { message_id: "m", call: 1 }],
  ["POST", "/jobs/1/multinode/wait-all", ["job"], 409, { message_id: "m", call: 1 }],
  ["POST", "/jobs/1/multinode/sync", ["job"], 409, { message_id: "m", call: 1 }],
  ["POST", "/jobs/1/multinode/finish", ["job"], 409],
  ["GET", "/jobs/1/log-tail", ["job"], 200],
  [
    "POST",
    "/jobs/1/log-uploads",
    ["job"],
    200,
    { first_line: 0, bytes: 9, sha256: "0".repeat(64) },
  ],
  [
    "POST",
    "/jobs/1/log-chunks",
    ["job"],
    400,
    { first_line: 0, count: 1, bytes: 9, sha256: "0".repeat(64), results: [] },
  ],
  ["POST", "/jobs/1/finish", ["job"], 200, { result: "pass", lines: 0 }],
];

describe.each(routes)("%s %s", (method, path, who, status, body) => {
  const send = (token: string | null) => lab.request(path, { method, token, body });

  test("is 401 without a token and with one that is none of ours", async () => {
    for (const token of [
      null,
      "nonsense",
      `pumice_${"0".repeat(16)}_${"x".repeat(43)}`,
      `pumice_job_1_${"0".repeat(64)}`,
      `${tokens.user.slice(0, -1)}_`,
    ]) {
      const answer = await send(token);
      expect(answer.status).toBe(401);
      expect(await answer.json()).toMatchObject({ code: "unauthenticated" });
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
    }
  });

  test.each(everybody.filter((kind) => !who.includes(kind)))("is 403 for %s", async (kind) => {
    const answer = await send(tokens[kind]);
    expect(answer.status).toBe(403);
    expect(await answer.json()).toMatchObject({ code: "forbidden" });
  });

  test.each(who)("is open to %s", async (kind) => {
    const answer = await send(tokens[kind]);
    expect(answer.status).toBe(status);
  });
});

test("the table above has every route", () => {
  const known = new Set(
    routes.map(
      ([method, path]) =>
        `${method} ${path.replace(/\?.*/, "").replace(/\/([0-9a-f]{16}|\d+|qemu-\d+|bench|new|none|own\.jinja2)(?=\/|$)/g, "/:")}`,
    ),
  );
  const served = lab.app.routes
    .filter(({ method, path }) => method !== "ALL" && path.startsWith("/api/v1/"))
    .map(({ method, path }) => `${method} ${path.replace("/api/v1", "").replace(/:\w+/g, ":")}`)
    .filter((route) => route !== "GET /health" && route !== "POST /enrol");
  expect(new Set(served)).toEqual(known);
});

test("health needs no token", async () => {
  const answer = await lab.request("/health", { token: null });
  expect(await answer.json()).toMatchObject({ status: "ok", engine: "embedded" });
});

test("LAVA's way of sending a token works as well", async () => {
  const headers = { authorization: `Token ${tokens.user}` };
  expect((await lab.request("/jobs", { token: null, headers })).status).toBe(200);
});

test("what is not there asks for a token first", async () => {
  expect((await lab.request("/nothing", { token: null })).status).toBe(401);
  expect((await lab.request("/nothing")).status).toBe(404);
});
