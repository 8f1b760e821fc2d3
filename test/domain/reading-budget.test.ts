import { afterEach, beforeEach, expect, test } from "vitest";
import type { DryRun } from "#protocol/dry-run.ts";
import { browserSession } from "../support/browser-session.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { aGroupJob } from "../support/group-job.ts";

let lab: EmbeddedLab;

beforeEach(async () => {
  lab = await embeddedLab();
  await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.addDevice("qemu-02");
});
afterEach(() => lab.close());

/** Large, and read fast. */
const padded = (text: string, chars: number) => `${text}# ${"x".repeat(chars)}\n`;
const HALF_A_MEGABYTE = 500_000;

test("who has much checked in a minute is told to come later, by whatever way; others are not", async () => {
  const other = await lab.addUser("other");
  const refused = padded("job_name: x\n", HALF_A_MEGABYTE);
  const status = async (where: string, body: unknown, token = lab.adminToken) =>
    (await lab.request(where, { body, token })).status;
  expect(await status("/jobs/check", refused)).toBe(200);
  expect(await status("/jobs/dry-run", refused)).toBe(200);
  expect(await status("/jobs", refused)).toBe(400);
  expect(await status("/jobs/check", refused)).toBe(200);
  const late = await lab.request("/jobs/check", { body: refused });
  expect([late.status, late.headers.get("retry-after")]).toEqual([429, "60"]);
  expect(await status("/jobs/dry-run", refused)).toBe(429);
  expect(await status("/jobs", refused)).toBe(429);
  const validate = await lab.app.request("/api/v0.2/jobs/validate/", {
    method: "POST",
    headers: { authorization: `Token ${lab.adminToken}`, "content-type": "application/json" },
    body: JSON.stringify({ definition: refused }),
  });
  expect(validate.status).toBe(429);
  expect(await status("/jobs/check", refused, other.token)).toBe(200);
  lab.pass(60);
  expect(await status("/jobs/check", refused)).toBe(200);
});

test("what is too large is told to be that, however often", async () => {
  const browser = await browserSession(lab);
  for (let n = 0; n < 3; n++) {
    const form = { definition: padded(aJob(), 2_200_000), "dry-run": "yes" };
    expect((await browser.post("/submit", form)).status).toBe(413);
  }
  expect((await lab.request("/jobs/check", { body: aJob() })).status).toBe(200);
});

test("what becomes a job costs nothing of it", async () => {
  const body = padded(aJob(), HALF_A_MEGABYTE);
  for (let n = 0; n < 6; n++) await lab.submit(body);
  expect((await lab.request("/jobs/check", { body })).status).toBe(200);
});

test("a plan is not made of what takes long to be read", async () => {
  const large = padded(aJob(), 300_000);
  const ask = (body: string) => lab.api<DryRun>("/jobs/dry-run", { body });
  expect((await ask(large)).jobs[0]?.plan?.problem).toContain("too large");
  const group = padded(aGroupJob(), 200_000);
  expect((await ask(group)).jobs[0]?.plan?.problem).toContain("too large");
  const id = await lab.submit(large);
  const { jobPlan } = await import("../../control-plane/domain/job-plan.ts");
  expect((await jobPlan(lab.deps, lab.admin, id))?.plan.problem).toContain("too large");
});
