import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pageOnBed } from "../support/page-on-bed.ts";
import { runOnBed } from "../support/run-on-bed.ts";
import { start as startFastboot, type FastbootBed } from "./fastboot.ts";
import { startUboot, type UbootBed } from "./uboot.ts";

/** The walk-throughs of the documentation, as they stand there. */
const example = (name: string): string =>
  readFileSync(path.resolve(import.meta.dirname, "../../docs/examples", name), "utf8");

const folders: string[] = [];
const newFolder = (): string => {
  const folder = mkdtempSync(path.join(tmpdir(), "pumice-docs-"));
  folders.push(folder);
  return folder;
};
let uboot: UbootBed | undefined;
let fastboot: FastbootBed | undefined;
beforeAll(async () => {
  uboot = await startUboot(newFolder(), console.error, "arm64");
  fastboot = await startFastboot(newFolder(), console.error);
});
afterAll(async () => {
  await uboot?.close();
  await fastboot?.close();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

test("the board of the walk-through for U-Boot runs its job", async () => {
  const bed = uboot!;
  const ran = await runOnBed({
    job: example("uboot/job.yaml").replaceAll("http://files.example.com/", bed.files),
    dictionary: pageOnBed(example("uboot/board-01.jinja2"), bed),
    dispatcher: bed.dispatcher,
  });
  expect(ran.outcome.result, ran.text).toBe("pass");
  const smoke = ran.results.filter(({ definition }) => definition === "0_smoke");
  expect(smoke).toMatchObject([
    { case: "machine", result: "pass" },
    { case: "network", result: "pass" },
  ]);
});

test("the board of the walk-through for fastboot runs its job", async () => {
  const bed = fastboot!;
  const ran = await runOnBed({
    job: example("fastboot/job.yaml").replaceAll("http://files.example.com/", bed.files),
    dictionary: example("fastboot/phone-01.jinja2")
      .replace("tcp://rack.example.com:7001", `tcp://127.0.0.1:${bed.rig.consolePort}`)
      .replace("pumice-power tasmota http://plug.example.com 1 cycle", bed.rig.hardReset)
      .replace("pumice-power tasmota http://plug.example.com 1 off", bed.rig.powerOff)
      .replace("udp:board.example.com", bed.serial)
      .replace(/unzip [^']*/, () => bed.bootCommand),
  });
  expect(ran.outcome.result, ran.text).toBe("pass");
  expect(ran.results).toContainEqual(
    expect.objectContaining({ definition: "0_shell", case: "kernel", result: "pass" }),
  );
});
