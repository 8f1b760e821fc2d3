import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { methodPage } from "../support/method-page.ts";
import { pageOnBed } from "../support/page-on-bed.ts";
import { runOnBed } from "../support/run-on-bed.ts";
import { startFileShelf, type FileShelf } from "./file-shelf.ts";
import { makeGuest } from "./guest.ts";
import { makeNetworkRoot } from "./network-root.ts";
import { startUboot, type UbootBed } from "./uboot.ts";

let folder: string;
let bed: UbootBed;
let files: FileShelf;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-nbd-"));
  bed = await startUboot(folder, console.error, "arm64");
  const network = await makeNetworkRoot(console.error, "arm64");
  files = await startFileShelf({
    Image: path.join(network, "vmlinuz"),
    "ramdisk.cpio.gz": path.join(network, "initramfs.cpio.gz"),
    "rootfs.ext4.gz": path.join(await makeGuest(console.error, "arm64"), "rootfs.ext4.gz"),
    "board.dtb": path.join(folder, "board.dtb"),
  });
});
afterAll(async () => {
  await files.close();
  await bed.close();
  rmSync(folder, { recursive: true });
});

test("a board that starts by U-Boot has its root on the worker's network block device, and writes to it", async () => {
  const page = methodPage("deploy-nbd");
  const ran = await runOnBed({
    job: page.job.replaceAll("http://files.example.com/", files.url),
    dictionary: pageOnBed(page.dictionary, bed),
    dispatcher: bed.dispatcher,
  });
  expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
  const smoke = ran.results.filter(({ definition }) => definition === "0_smoke");
  expect(smoke, ran.text).toMatchObject([
    { case: "root", result: "pass" },
    { case: "write", result: "pass" },
  ]);
});
