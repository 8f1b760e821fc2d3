import { afterAll, beforeAll, expect, test } from "vitest";
import type { LogChunkList } from "#protocol/api.ts";
import { browserSession, runningJob, type BrowserSession } from "../support/browser-session.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
let browser: BrowserSession;
let chunk: string;

beforeAll(async () => {
  // Blobs of the embedded engine are served by the lab itself.
  lab = await embeddedLab({}, "embedded");
  const worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  const { id, token } = await runningJob(lab, worker);
  await lab.ship(id, token, 0, [{ dt: "2026-03-01T12:00:00Z", lvl: "info", msg: "a" }]);
  chunk = (await lab.api<LogChunkList>(`/jobs/${id}/log-chunks`)).chunks[0]!.url;
  browser = await browserSession(lab);
});
afterAll(() => lab.close());

/** A place of each kind, and what it answers. */
const PLACES: [kind: string, path: string, status: number][] = [
  ["page", "/", 200],
  ["page of a job", "/jobs/1", 200],
  ["page with a form", "/submit", 200],
  ["sign-in", "/sign-in", 200],
  ["page that is not there", "/no-such-page", 404],
  ["job that is not there", "/jobs/99", 404],
  ["refused page", "/jobs/1?attempt=x", 400],
  ["table as a file", "/?format=csv", 200],
  ["documentation", "/docs", 200],
  ["documentation that is not there", "/docs/none", 404],
  ["asset that is not there", "/assets/none", 404],
  ["API", "/api/v1/jobs", 200],
  ["API, not there", "/api/v1/none", 404],
  ["API, another method", "/api/v1/worker/sync", 405],
  ["definition, as text", "/api/v1/jobs/1/definition", 200],
  ["log, as text", "/api/v1/jobs/1/log?format=text", 200],
  ["schema", "/schemas/job.json", 200],
  ["description of the API", "/api/v1/openapi.json", 200],
  ["LAVA's REST", "/api/v0.2/jobs/", 200],
  ["LAVA's REST, not there", "/api/v0.2/none/", 404],
  ["LAVA's page of a job", "/scheduler/job/1", 302],
  ["LAVA's file of a job", "/scheduler/job/1/definition/plain", 200],
  ["XML-RPC, for people", "/api/help/", 200],
  ["stock worker, another method", "/scheduler/internal/v1/workers/", 404],
  ["blob without a signature", "/blobs/jobs/1/none", 403],
];

function problemsOf(where: string, { headers }: Response): string[] {
  const of = (name: string): string => headers.get(name) ?? "";
  const policy = of("content-security-policy");
  return [
    ...(of("x-content-type-options") === "nosniff" ? [] : ["its type is guessed"]),
    ...(/default-src 'none'/.test(policy) ? [] : [`policy: ${policy}`]),
    ...(/frame-ancestors 'none'/.test(policy) ? [] : ["others may frame it"]),
    ...(/unsafe|\*|data:|blob:/.test(policy) ? [`policy: ${policy}`] : []),
    ...(of("referrer-policy") === "same-origin" ? [] : ["others learn the address"]),
    ...(of("cross-origin-resource-policy") === "same-origin" ? [] : ["others may load it"]),
    ...(/camera=\(\)/.test(of("permissions-policy")) ? [] : ["it may use the camera"]),
    ...(of("access-control-allow-origin") === "" ? [] : ["others may read it"]),
    ...(/^\/(assets|docs|schemas)|openapi/.test(where) || !/public/.test(of("cache-control"))
      ? []
      : ["others keep it"]),
  ];
}

test.each(PLACES)("%s: %s has all headers that browsers need", async (_kind, where, status) => {
  const answer = await browser.get(where);
  expect([where, answer.status]).toEqual([where, status]);
  expect(problemsOf(where, answer)).toEqual([]);
});

test("so do a blob, a fault of XML-RPC, who is not signed in, and what nobody foresaw", async () => {
  const blob = await lab.app.request(chunk);
  expect([blob.status, problemsOf(chunk, blob)]).toEqual([200, []]);
  expect(blob.headers.get("content-disposition")).toBe("attachment");
  const fault = await lab.app.request("/RPC2", { method: "POST", body: "<a>" });
  expect([fault.status, problemsOf("/RPC2", fault)]).toEqual([200, []]);
  const unknown = await lab.request("/jobs", { token: "wrong" });
  expect([unknown.status, problemsOf("/api/v1/jobs", unknown)]).toEqual([401, []]);
  const { table } = lab.deps;
  const get = table.get.bind(table);
  table.get = () => Promise.reject(new Error("nobody foresaw this"));
  try {
    for (const where of ["/api/v1/jobs/1", "/jobs/1"]) {
      const answer = await browser.get(where);
      expect([where, answer.status, problemsOf(where, answer)]).toEqual([where, 500, []]);
      expect(await answer.text()).not.toContain("nobody foresaw");
    }
  } finally {
    table.get = get;
  }
});

test("pages run the lab's own scripts only, and are kept by nobody", async () => {
  for (const [, where, status] of PLACES.filter(([kind]) => /page|sign-in|job/.test(kind))) {
    const { headers } = await browser.get(where);
    if (status === 302 || !/text\/html/.test(headers.get("content-type") ?? "")) continue;
    expect(headers.get("content-security-policy")).toMatch(
      /script-src 'self'; style-src 'self'; img-src 'self';.*form-action 'self'; base-uri 'none'/,
    );
    expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
    expect(headers.get("cache-control")).toBe("no-store");
  }
});

test("over https a browser never asks by http again; over http nothing of the kind is said", async () => {
  const of = async (headers: Record<string, string>) =>
    (await lab.app.request("/sign-in", { headers })).headers.get("strict-transport-security");
  expect(await of({})).toBe(null);
  expect(await of({ "x-forwarded-proto": "https" })).toMatch(/^max-age=\d{7,}$/);
});
