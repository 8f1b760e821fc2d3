import { afterEach, beforeEach, expect, test } from "vitest";
import { jobDevice } from "../../control-plane/domain/job-device.ts";
import { jobPlan } from "../../control-plane/domain/job-plan.ts";
import { writeSettings } from "../../control-plane/domain/lab-settings.ts";
import { writeText } from "../../control-plane/domain/texts.ts";
import { runningJob } from "../support/browser-session.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
let worker: string;
beforeEach(async () => {
  lab = await embeddedLab();
  worker = await lab.addWorker();
  await putDictionary("{% extends 'qemu.jinja2' %}\n");
});
afterEach(() => lab.close());

const putDictionary = (dictionary: string) =>
  lab.api("/devices/qemu-01", {
    method: "PUT",
    body: { device_type: "qemu", worker: "bench", dictionary },
  });
const deviceOf = (id: number) => jobDevice(lab.deps, lab.admin, id);

test("a job's device is configured as when it began, with its context", async () => {
  lab.pass(60);
  await putDictionary("{% extends 'qemu.jinja2' %}\n{% set boot_character_delay = 111 %}\n");
  lab.pass(60);
  const { id } = await runningJob(lab, worker);
  expect(await deviceOf(id)).toMatchObject({ newer: [], config: { version: 2 } });
  for (const delay of [222, 333]) {
    lab.pass(60);
    await putDictionary(`{% extends 'qemu.jinja2' %}\n{% set boot_character_delay = ${delay} %}\n`);
  }
  const device = await deviceOf(id);
  expect(device?.newer.map(({ version }) => version)).toEqual([4, 3]);
  expect(device?.config?.version).toBe(2);
  expect(device?.config?.text).toContain("111");
  expect(device?.config?.text).not.toMatch(/222|333/);
});

test("a job that waits has none, and one whose device does not render any more says so", async () => {
  const { id } = await runningJob(lab, worker);
  expect(await deviceOf(await lab.submit())).toBeUndefined();
  await writeText(lab.deps, {
    kind: "template",
    name: "qemu.jinja2",
    text: "{% set",
    user: "admin",
  });
  const device = await deviceOf(id);
  expect(device?.config).toBeUndefined();
  expect(device?.problem).toContain("qemu.jinja2 line 1");
  expect((await jobPlan(lab.deps, lab.admin, id))?.plan.problem).toContain("does not render");
});

test("neither is told of a job that may not be seen", async () => {
  const { id } = await runningJob(lab, worker);
  const { principal } = await lab.addStranger("eve");
  await writeSettings(lab.deps, { access: { rule: "closed", permissions: {} } }, { who: "admin" });
  for (const read of [jobDevice, jobPlan]) {
    await expect(read(lab.deps, principal, id)).rejects.toMatchObject({ code: "not_found" });
  }
});

test("a plan is for the job's device, or for one of the type while it waits", async () => {
  const { id } = await runningJob(lab, worker);
  const own = await jobPlan(lab.deps, lab.admin, id);
  expect(own).toMatchObject({ hostname: "qemu-01", isOwn: true });
  expect(own?.plan.steps?.map(({ strategy }) => strategy)).toContain("boot:qemu");
  const waiting = await lab.submit(aJob({ name: "later" }));
  expect(await jobPlan(lab.deps, lab.admin, waiting)).toMatchObject({
    hostname: "qemu-01",
    isOwn: false,
  });
});
