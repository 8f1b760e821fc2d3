import { afterEach, beforeEach, expect, test } from "vitest";
import { browserSession, runningJob, type BrowserSession } from "../support/browser-session.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

const HOSTILE = `<script>alert(1)</script>"'&`;

let lab: EmbeddedLab;
let browser: BrowserSession;
let worker: string;
beforeEach(async () => {
  lab = await embeddedLab();
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  browser = await browserSession(lab);
});
afterEach(() => lab.close());

async function show(path: string, status = 200, as = browser): Promise<string> {
  const answer = await as.get(path);
  const html = await answer.text();
  if (answer.status !== status) throw new Error(`${path}: ${answer.status} ${html}`);
  expect(html).not.toContain("<script>");
  return html;
}
const textForm = (text: string, version: number, comment = "") =>
  browser.post("/workers/bench/texts/env", { text, version: String(version), comment });

test("a worker's page shows its health, devices and the jobs that run there", async () => {
  const { id } = await runningJob(lab, worker);
  const html = await show("/workers/bench");
  expect(html).toContain('href="/devices/qemu-01"');
  expect(html).toContain(`href="/jobs/${id}"`);
  expect(html).toContain("Drain");
  expect(await show("/workers")).toContain('href="/workers/bench"');
  await show("/workers/none", 404);
});

test("a worker is drained and taken back by a button; both stand in its history", async () => {
  const drained = await browser.post("/workers/bench/health", {
    health: "Maintenance",
    reason: HOSTILE,
  });
  expect([drained.status, drained.headers.get("location")]).toEqual([303, "/workers/bench"]);
  const html = await show("/workers/bench");
  expect(html).toContain("health: Active → Maintenance");
  expect(html).toContain("&lt;script&gt;alert(1)");
  expect(html).toContain("Take it back into use");
  await browser.post("/workers/bench/health", { health: "Active" });
  expect(await show("/workers/bench")).toContain("Drain");
});

test("a worker's texts are edited, with why; older versions are shown and put back", async () => {
  expect((await textForm("overrides: {A: one}\r\n", 0, "first")).status).toBe(303);
  expect((await textForm("overrides: {A: two}\r\n", 1)).status).toBe(303);
  expect(await show("/workers/bench")).toContain("version 2");
  const old = await show("/workers/bench/texts/env?version=1");
  expect(old).toContain("overrides: {A: one}");
  expect(old).toContain("This is version 1");
  expect(old).toContain("first");
  const now = await lab.request("/workers/bench/texts/env");
  expect(await now.text()).toBe("overrides: {A: two}\n");
  await textForm("overrides: {A: one}\n", 2);
  expect(await show("/workers/bench/texts/env")).toContain("overrides: {A: one}");
});

test("a text that is no YAML, or that somebody has changed meanwhile, is shown again with the reason", async () => {
  const bad = await textForm("overrides: [unclosed", 0);
  expect(bad.status).toBe(400);
  const html = await bad.text();
  expect(html).toContain("line 1");
  expect(html).toContain("overrides: [unclosed");
  await textForm("overrides: {A: b}\n", 0);
  expect((await textForm("overrides: {A: c}\n", 0)).status).toBe(409);
});

test("who may only view a worker sees neither its texts nor buttons nor permissions", async () => {
  const { token } = await lab.addUser("alice");
  const alice = await browserSession(lab, token);
  const html = await show("/workers/bench", 200, alice);
  for (const text of ["Drain", "Texts that go", "Permissions"]) expect(html).not.toContain(text);
  await show("/workers/bench/texts/env", 403, alice);
  const refused = await alice.post("/workers/bench/health", { health: "Maintenance" });
  expect(refused.status).toBe(403);
});

test("a form of another site changes nothing", async () => {
  const elsewhere = { "sec-fetch-site": "cross-site" };
  for (const [path, form] of [
    ["/workers/bench/health", { health: "Maintenance" }],
    ["/workers/bench/texts/env", { text: "", version: "0" }],
    ["/devices/qemu-01/console", {}],
  ] as const) {
    expect((await browser.post(path, form, elsewhere)).status).toBe(403);
  }
});

test("an administrator is told that a worker is to make itself another token, and what it grants", async () => {
  await lab.request("/workers/bench/rotate", { method: "POST", body: { overlap_seconds: 60 } });
  const html = await show("/workers/bench");
  expect(html).toContain("asked to make another one");
  expect(html).toContain("Permissions");
});
