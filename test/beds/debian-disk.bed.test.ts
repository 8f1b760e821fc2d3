import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runOnBed } from "../support/run-on-bed.ts";
import { start, type DebianBed } from "./debian-disk.ts";

let folder: string;
let bed: DebianBed;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-debian-disk-"));
  bed = await start(folder, console.error);
});
afterAll(async () => {
  await bed.close();
  rmSync(folder, { recursive: true });
});

test("Debian boots from its disk, is logged in to, and finds its tests in /lava-1", async () => {
  const ran = await runOnBed(bed);
  expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
  const cases = ran.results.filter(({ definition }) => definition === "0_debian");
  expect(cases, ran.text).toMatchObject([
    { case: "release", result: "pass" },
    { case: "systemd", result: "pass" },
    { case: "root", result: "pass" },
    { case: "network", result: "pass" },
    { case: "boot-time", result: "pass", units: "seconds" },
  ]);
});
