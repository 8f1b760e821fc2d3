import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { methodPage } from "../support/method-page.ts";
import { pageOnBed } from "../support/page-on-bed.ts";
import { runOnBed } from "../support/run-on-bed.ts";
import { MCU_BOARDS, startMcu, type McuBed } from "./mcu.ts";

let folder: string;
let bed: McuBed | undefined;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-mcu-"));
});
afterEach(async () => {
  await bed?.close();
  bed = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const cases = (results: readonly Record<string, unknown>[], suite: string) =>
  results
    .filter(({ definition }) => definition === suite)
    .map(({ case: name, result, measurement }) => [name, result, measurement].filter(Boolean));

describe.each(Object.keys(MCU_BOARDS) as (keyof typeof MCU_BOARDS)[])("firmware on %s", (board) => {
  test("reports its tests to monitors", async () => {
    bed = await startMcu(folder, board);
    const page = methodPage("test-monitors");
    const ran = await runOnBed({ job: page.job, dictionary: pageOnBed(page.dictionary, bed) });
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    expect(cases(ran.results, "board")).toEqual([
      ["arithmetic", "pass"],
      ["known_bug", "fail"],
    ]);
    expect(cases(ran.results, "heat")).toEqual([["core_temperature", "pass", 23.5]]);
  });

  test("answers an interactive script", async () => {
    bed = await startMcu(folder, board);
    const page = methodPage("test-interactive");
    const ran = await runOnBed({ job: page.job, dictionary: pageOnBed(page.dictionary, bed) });
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    expect(cases(ran.results, "0_firmware")).toEqual([
      ["version", "pass"],
      ["unknown-command", "pass"],
      ["survives-reboot", "pass"],
    ]);
  });

  test("is loaded and started by gdb", async () => {
    const stub = path.join(folder, "gdb.sock");
    const chardev = `socket,id=gdb,path=${stub},server=on,wait=off`;
    bed = await startMcu(folder, board, ["-chardev", chardev, "-gdb", "chardev:gdb"]);
    const page = methodPage("boot-gdb");
    const job = page.job.replace(
      "http://files.example.com/firmware.elf",
      pathToFileURL(bed.elf).href,
    );
    const dictionary = pageOnBed(page.dictionary, bed).replace("rack.example.com:1234", stub);
    const ran = await runOnBed({ job, dictionary });
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    expect(cases(ran.results, "board")).toEqual([
      ["arithmetic", "pass"],
      ["known_bug", "fail"],
    ]);
  });
});

test("gdb that can't reach its board is the lab's fault, and says what refused", async () => {
  bed = await startMcu(folder, "lm3s6965evb");
  const page = methodPage("boot-gdb");
  const job = page.job.replace(
    "http://files.example.com/firmware.elf",
    pathToFileURL(bed.elf).href,
  );
  const dictionary = pageOnBed(page.dictionary, bed).replace(
    "rack.example.com:1234",
    path.join(folder, "nobody.sock"),
  );
  const ran = await runOnBed({ job, dictionary });
  expect(ran.outcome).toMatchObject({ result: "fail", error_type: "Infrastructure" });
  expect(ran.outcome.error_msg).toMatch(/gdb refused 'target remote .*No such file/);
});
