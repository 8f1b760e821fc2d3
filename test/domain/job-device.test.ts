import { afterEach, beforeEach, expect, test } from "vitest";
import { deviceBlob } from "../../control-plane/domain/blob-names.ts";
import { jobDevice } from "../../control-plane/domain/job-device.ts";
import { jobPlan } from "../../control-plane/domain/job-plan.ts";
import { aDeviceConfiguration } from "../support/builders.ts";
import { browserSession, runningJob } from "../support/browser-session.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
let worker: string;
beforeEach(async () => {
  lab = await embeddedLab();
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
});
afterEach(() => lab.close());

async function changeDevice(): Promise<void> {
  lab.pass(60);
  const configuration = aDeviceConfiguration()
    .replace("qemu:\n", "u-boot:\n")
    .replace("256", "512");
  await lab.api("/devices/qemu-01", {
    method: "PUT",
    body: { device_type: "qemu", worker: "bench", configuration },
  });
}

test("a job's device is shown as its worker got it, whatever has become of it since", async () => {
  const { id } = await runningJob(lab, worker);
  await changeDevice();
  const device = await jobDevice(lab.deps, lab.admin, id);
  expect(device?.kept).toContain("command: qemu-system-x86_64");
  expect(device?.newer).toHaveLength(1);
  const page = await (await (await browserSession(lab)).get(`/jobs/${id}/device`)).text();
  expect(page).toContain("As the job’s worker got it");
  expect(page).toContain("The dictionary has changed since.");
});

test("its plan is that of the configuration which it had", async () => {
  const { id } = await runningJob(lab, worker);
  const before = await jobPlan(lab.deps, lab.admin, id);
  await changeDevice();
  const after = await jobPlan(lab.deps, lab.admin, id);
  expect(after?.plan.steps?.length).toBeGreaterThan(2);
  expect(after).toEqual({ ...before, isKept: true });
});

test("of a job from before these were kept the configuration is made again", async () => {
  const { id } = await runningJob(lab, worker);
  await lab.deps.blobs.remove(deviceBlob(id, 1));
  const device = await jobDevice(lab.deps, lab.admin, id);
  expect([device?.kept, device?.config?.text]).toEqual([
    undefined,
    expect.stringContaining("command: qemu-system-x86_64"),
  ]);
});

test("who may not see the device is shown none of it", async () => {
  const { id } = await runningJob(lab, worker);
  const { principal } = await lab.addUser("mallory");
  const body = { settings: { access: { rule: "open" } } };
  await lab.api("/settings", { method: "PUT", body });
  // Who is granted something is the only one then.
  await lab.api("/permissions/device/qemu-01", { body: { to: "user:admin", permission: "view" } });
  await expect(jobDevice(lab.deps, principal, id)).rejects.toThrow(`there is no job ${id}`);
});
