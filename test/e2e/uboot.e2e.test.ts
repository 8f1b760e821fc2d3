import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { start } from "../beds/uboot-arm64.ts";
import type { UbootBed } from "../beds/uboot.ts";
import { methodPage } from "../support/method-page.ts";
import { realLab, type RealLab } from "../support/real-lab.ts";

let folder: string;
let bed: UbootBed;
let lab: RealLab;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-uboot-lab-"));
  bed = await start(folder, () => {});
  lab = await realLab({ devices: 0 });
});
afterAll(async () => {
  await lab.close();
  await bed.close();
  rmSync(folder, { recursive: true, force: true });
});

test("a board with U-Boot is a device of the lab: the agent serves its files, and a killed agent costs the job nothing", async () => {
  const dispatcher = stringify(bed.dispatcher);
  await lab.api("PUT", "/workers/bench", { dispatcher });
  const { dictionary } = bed;
  await lab.api("PUT", "/devices/board-01", {
    device_type: "base-uboot",
    worker: "bench",
    dictionary,
  });
  const job = methodPage("boot-u-boot")
    .job.replaceAll("http://files.example.com/", bed.files)
    .replace(/^device_type: .*/m, "device_type: base-uboot");
  const id = await lab.submit(job);
  await lab.follow(id, ({ msg }) => String(msg).includes("Starting kernel"));
  await lab.killAgent();
  await lab.startAgent();
  const { health, error_msg } = await lab.finished(id);
  expect([health, error_msg]).toEqual(["Complete", undefined]);
  const results = (await lab.results(id)).filter(({ suite }) => suite === "0_smoke");
  expect(results.map(({ name, result }) => `${name} ${result}`)).toEqual([
    "kernel pass",
    "network pass",
  ]);
});
