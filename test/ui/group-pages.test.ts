import { afterEach, beforeEach, expect, test } from "vitest";
import { browserSession, type BrowserSession } from "../support/browser-session.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { aGroupJob, aGuestRole, aRole, startGroup } from "../support/group-job.ts";

let lab: EmbeddedLab;
let browser: BrowserSession;
const source = aGroupJob({
  host: aRole(1, "device_type: qemu, essential: true"),
  guest: aGuestRole(),
});
beforeEach(async () => {
  lab = await embeddedLab();
  const worker = await lab.addWorker();
  await lab.addDevice("q1");
  browser = await browserSession(lab);
  await startGroup(lab, source, [worker]);
});
afterEach(() => lab.close());

const show = async (where: string) => (await browser.get(where)).text();

test("a job's page lists the jobs of its group, with what each does", async () => {
  const html = await show("/jobs/2");
  expect(html).toContain("Multinode group");
  expect(html).toContain('<a href="/jobs/1">#1</a> host (essential)');
  expect(html).toContain("<b>#2</b> guest");
  expect(html).toContain("with job 1");
  expect(html).toContain("guest (1.1)");
});

test("a sub id leads to the job's page", async () => {
  expect(await show("/jobs/1.1")).toContain("guest (1.1)");
  expect((await browser.get("/jobs/1.9")).status).toBe(404);
});

test("a page of a single job has no group", async () => {
  await lab.submit();
  expect(await show("/jobs/3")).not.toContain("Multinode group");
});

test("its definition is the member's own; what was submitted is beside it, and is submitted again", async () => {
  const html = await show("/jobs/2/definition");
  expect(html).toContain("target_group");
  expect(html).toContain("/jobs/2/definition?of=all");
  const whole = await show("/jobs/2/definition?of=all");
  expect(whole).toContain("/api/v1/jobs/2/multinode-definition");
  expect(whole).toContain("host_role");
  expect(whole).not.toContain("target_group");
  const form = await show("/submit?from=2");
  expect(form).toContain("expect_role: host, request: lava-start");
  expect(form).not.toContain("target_group");
});
