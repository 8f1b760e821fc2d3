import { afterEach, beforeEach, expect, test } from "vitest";
import { callMethod } from "../../control-plane/lava/xmlrpc/methods.ts";
import type { Fault } from "../../control-plane/lava/xmlrpc/fault.ts";
import { readBody } from "../../control-plane/lava/rest/read-fields.ts";
import { readLines } from "../../control-plane/lava/stock-worker/read-lines.ts";
import { labSettings, writeSettings } from "../../control-plane/domain/lab-settings.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { callXml, readAnswer } from "../support/xmlrpc-client.ts";

/* What somebody sends to LAVA's surfaces who wants to harm the lab. */

let lab: EmbeddedLab;
beforeEach(async () => {
  lab = await embeddedLab();
});
afterEach(() => lab.close());

const FORM = { "content-type": "application/x-www-form-urlencoded" };
const post = (where: string, body: string) =>
  lab.app.request(where, { method: "POST", headers: FORM, body });

test("a field that comes very often is read in one go", async () => {
  const body = "a=1&".repeat(300_000);
  const request = new Request("http://lab/", { method: "POST", headers: FORM, body });
  const { a } = (await readBody(request)) as { a: string[] };
  expect(a).toHaveLength(300_000);
});

test("of those whom nobody knows, only a little is read", async () => {
  const body = "a=1&".repeat(20_000);
  const [token, register] = await Promise.all([
    post("/api/v0.2/token/", body),
    post("/scheduler/internal/v1/workers/", body),
  ]);
  expect([token.status, register.status]).toEqual([413, 413]);
});

test("who is not signed in is shown what the lab shows to all, and has nothing large read or checked", async () => {
  const { access } = await labSettings(lab.deps);
  const permissions = { ...access.permissions, view: ["anonymous"] };
  await writeSettings(lab.deps, { access: { ...access, permissions } }, { who: "admin" });
  const call = (method: string, text: string) =>
    lab.app.request("/RPC2", { method: "POST", body: callXml(method, [text]) });
  expect(await (await call("system.methodHelp", "system.version")).text()).not.toContain("<fault>");
  const long = await (await call("system.methodHelp", "x".repeat(100_000))).text();
  expect(readAnswer(long)).toMatchObject({ code: 400, text: expect.stringContaining("65536") });
  for (const method of ["scheduler.jobs.validate", "scheduler.validate_yaml"]) {
    expect(readAnswer(await (await call(method, aJob())).text())).toMatchObject({ code: 401 });
  }
});

test("a path with a line end in it leads nowhere else, and is no error of ours", async () => {
  const answer = await lab.app.request("/scheduler/internal/v1/x%0d%0aset-cookie:a=b");
  expect(answer.status).toBe(301);
  expect(answer.headers.get("location")).toBe("/scheduler/internal/v1/x%0d%0aset-cookie:a=b/");
  expect(answer.headers.get("set-cookie")).toBeNull();
});

test("the answers of a system.multicall are together no longer than one answer may be", async () => {
  await lab.addWorker();
  await lab.addDevice("qemu-01");
  const job = await lab.submit(`${aJob()}\n# ${"x".repeat(900_000)}\n`);
  // Where a gateway stands before the lab, which takes 3 MB.
  const deps = { ...lab.deps, settings: { ...lab.deps.settings, blobOrigin: "http://blobs" } };
  const call = { methodName: "scheduler.jobs.definition", params: [job] };
  const answers = (await callMethod(
    { deps, principal: lab.admin },
    "system.multicall",
    [Array.from({ length: 50 }, () => call)],
    (error) => error as Fault,
  )) as ([string] | { faultCode: number; faultString: string })[];
  expect(answers).toHaveLength(50);
  expect(answers.filter((one) => Array.isArray(one))).toHaveLength(3);
  expect(answers[49]).toMatchObject({ faultCode: 400, faultString: /too long/ });
});

test("a page of jobs with very long definitions says that it is too long, and a shorter one is given", async () => {
  await lab.addWorker();
  await lab.addDevice("qemu-01");
  const long = aJob({ lines: [`metadata: {text: "${"x".repeat(950_000)}"}`] });
  for (let count = 0; count < 10; count++) await lab.submit(long);
  const headers = { authorization: `Token ${lab.adminToken}` };
  const page = (limit: number) => lab.app.request(`/api/v0.2/jobs/?limit=${limit}`, { headers });
  const refused = await page(10);
  expect(refused.status).toBe(400);
  expect(await refused.text()).toMatch(/"limit":.*at most 8.*too long/);
  expect((await page(8)).status).toBe(200);
});

test("a record of a log that is nested deeper than any is dropped", () => {
  const msg = `${"[".repeat(40_000)}${"]".repeat(40_000)}`;
  const [record] = readLines(
    `- {"dt": "2026-11-21T02:29:58.117170", "lvl": "info", "msg": ${msg}}\n`,
    "2026-11-21T02:29:58Z",
  );
  expect(record).toMatchObject({ lvl: "warning", msg: expect.stringContaining("were dropped") });
});

test("a page of another site makes no browser register a worker, nor call with its session", async () => {
  const register = await lab.app.request(
    "/scheduler/internal/v1/workers/",
    {
      method: "POST",
      headers: { ...FORM, origin: "https://evil.example", "sec-fetch-site": "cross-site" },
      body: "name=new",
    },
    { address: "127.0.0.1" },
  );
  expect(register.status).toBe(403);
  const cookie = await sessionOf(lab);
  const call = (site: string) =>
    lab.app.request("/RPC2", {
      method: "POST",
      headers: { cookie, "sec-fetch-site": site, "content-type": "text/plain" },
      body: callXml("system.whoami", []),
    });
  expect((await call("cross-site")).status).toBe(403);
  expect(readAnswer(await (await call("same-origin")).text())).toEqual({ value: "admin" });
});

async function sessionOf(lab: EmbeddedLab): Promise<string> {
  const { url } = await lab.api<{ url: string }>("/sign-in-links", { method: "POST" });
  const signedIn = await lab.request("/sign-in", {
    token: null,
    body: new URL(url).searchParams.toString(),
    headers: { "sec-fetch-site": "same-origin" },
  });
  return signedIn.headers.get("set-cookie")?.split(";")[0] ?? "";
}
