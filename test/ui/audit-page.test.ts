import { afterEach, beforeEach, expect, test } from "vitest";
import type { AuditPage } from "#protocol/people.ts";
import { browserSession } from "../support/browser-session.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { runsTo } from "../support/tested-job.ts";

let lab: EmbeddedLab;
beforeEach(async () => {
  lab = await embeddedLab();
  const description = `<script>alert(1)</script>"'&`;
  await lab.api("/tags/usb", { method: "PUT", body: { description } });
});
afterEach(() => lab.close());

test("the audit page shows what was changed, hostile text as text, and narrows by its form", async () => {
  const browser = await browserSession(lab);
  const html = await (await browser.get("/audit?kind=tag")).text();
  expect(html).toContain("tag usb");
  expect(html).toContain("&lt;script&gt;alert(1)");
  expect(html).not.toContain("<script>alert");
  expect(html).toContain('href="/audit?kind=tag&amp;name=usb"');
  const none = await (await browser.get("/audit?who=nobody")).text();
  expect(none).toContain("No entry fits this filter.");
  expect(none).not.toContain("tag usb");
});

test("what a health check changed is said so, with its job; in JSON stands LAVA's name", async () => {
  const dictionary = "{% extends 'qemu.jinja2' %}\n";
  const worker = await lab.addWorker();
  await lab.api("/health-checks/qemu", { method: "PUT", body: aJob({ name: "check" }) });
  await lab.addDevice("qemu-01", { dictionary, configuration: undefined });
  await lab.submit();
  await lab.sync(worker);
  const check = (await lab.job(1)).health_check ? 1 : 2;
  await runsTo(lab, worker, check, [], "fail");
  const browser = await browserSession(lab);
  const page = async (path: string) => (await browser.get(path)).text();
  const link = `<a href="/jobs/${check}">health check</a>`;
  expect(await page("/devices/qemu-01/history")).toContain(link);
  expect(await page("/audit?kind=device")).toContain(link);
  expect(await page(`/jobs/${check}`)).toContain(">health check</a>");
  expect(await page("/devices/qemu-01/history")).not.toContain("lava-health");
  expect(await page("/")).not.toContain("lava-health");
  const { entries } = await lab.api<AuditPage>("/audit?kind=device");
  expect(entries.some(({ who }) => who === "lava-health")).toBe(true);
});

test("only administrators are led to it", async () => {
  expect(await (await (await browserSession(lab)).get("/")).text()).toContain('href="/admin"');
  const { token } = await lab.addUser("alice");
  const browser = await browserSession(lab, token);
  expect(await (await browser.get("/")).text()).not.toContain('href="/admin"');
  expect((await browser.get("/audit")).status).toBe(403);
});

test("who may see the lab without signing in gets its pages, and is sent to sign in for the rest", async () => {
  const body = { to: "anonymous", permission: "view" };
  await lab.api("/permissions/lab/lab", { body });
  const page = { headers: { accept: "text/html" } };
  const devices = await lab.app.request("/devices", page);
  expect(devices.status).toBe(200);
  const submit = await lab.app.request("/submit", page);
  expect([submit.status, submit.headers.get("location")]).toEqual([303, "/sign-in?next=%2Fsubmit"]);
});
