import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { methodPage } from "../support/method-page.ts";
import { pageOnBed } from "../support/page-on-bed.ts";
import { runOnBed } from "../support/run-on-bed.ts";
import { startUboot, type UbootBed } from "./uboot.ts";

let folder: string;
let bed: UbootBed;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-deploy-tftp-"));
  bed = await startUboot(folder, console.error, "arm64");
});
afterAll(async () => {
  await bed.close();
  rmSync(folder, { recursive: true });
});

test("a board fetches what the page deploys from the worker's own server, and finds the overlay in it", async () => {
  const page = methodPage("deploy-tftp");
  const ran = await runOnBed({
    job: page.job.replaceAll("http://files.example.com/", bed.files),
    dictionary: pageOnBed(page.dictionary, bed),
    dispatcher: bed.dispatcher,
  });
  expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
  expect(ran.results).toContainEqual(
    expect.objectContaining({ definition: "0_smoke", case: "overlay", result: "pass" }),
  );
  const transfers = ran.text.match(/tftp: 1\/tftp-deploy-\w+\/\w+\/.*/g) ?? [];
  expect(transfers).toHaveLength(3);
  for (const line of transfers) expect(line).toMatch(/ \d+ bytes in [\d.]+ s, \d+ blocks resent$/);
  console.log(transfers.join("\n"));
});
