import { afterEach, beforeEach, expect, test } from "vitest";
import type { WorkerDevices } from "#protocol/worker-devices.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
beforeEach(async () => {
  lab = await embeddedLab();
});
afterEach(() => lab.close());

test("a worker is told its settings and its own devices, rendered", async () => {
  const token = await lab.addWorker();
  const other = await lab.addWorker("other");
  const dispatcher = "dispatcher_ip: 192.0.2.1\n";
  await lab.api("/workers/bench", { method: "PUT", body: { description: "", dispatcher } });
  const dictionary =
    "{% extends 'qemu.jinja2' %}\n{% set connection_command = 'telnet bench 2000' %}\n";
  const device = { device_type: "qemu", worker: "bench", dictionary };
  await lab.api("/devices/qemu-01", { method: "PUT", body: device });
  const told = await lab.api<WorkerDevices>("/worker/devices", { token });
  expect(told).toMatchObject({ worker: "bench", dispatcher });
  const [qemu] = told.devices;
  expect(qemu).toMatchObject({
    hostname: "qemu-01",
    is_busy: false,
    configuration: { commands: { connect: "telnet bench 2000" } },
  });
  expect(await lab.api("/worker/devices", { token: other })).toMatchObject({ devices: [] });
});
