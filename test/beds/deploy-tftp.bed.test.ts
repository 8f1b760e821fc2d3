import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { methodPage } from "../support/method-page.ts";
import { pageOnBed } from "../support/page-on-bed.ts";
import { runOnBed } from "../support/run-on-bed.ts";
import { startFileShelf } from "./file-shelf.ts";
import { makeGuest } from "./guest.ts";
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

// As `make` of Linux does it: for lz4 that is an old format, which has no end.
test.each([
  ["bz2", "bzip2", "-c"],
  ["lz4", "lz4", "-lc"],
  ["lzma", "xz", "--format=lzma", "-c"],
  ["lzo", "lzop", "-c"],
  ["xz", "xz", "--check=crc32", "-c"],
  ["zst", "zstd", "-c"],
])(
  "a ramdisk compressed as %s takes the overlay, and the board's kernel both",
  async (suffix, tool, ...options) => {
    const guest = await makeGuest(console.error, "arm64");
    const plain = gunzipSync(readFileSync(path.join(guest, "initramfs.cpio.gz")));
    const ramdisk = path.join(folder, `ramdisk.cpio.${suffix}`);
    writeFileSync(ramdisk, execFileSync(tool, options, { input: plain, maxBuffer: 1 << 28 }));
    const shelf = await startFileShelf({ [path.basename(ramdisk)]: ramdisk });
    try {
      const page = methodPage("deploy-tftp");
      const ran = await runOnBed({
        job: page.job
          .replace(
            /url: \S+ramdisk.cpio.gz\n +compression: gz/,
            `url: ${shelf.url}${path.basename(ramdisk)}`,
          )
          .replaceAll("http://files.example.com/", bed.files),
        dictionary: pageOnBed(page.dictionary, bed),
        dispatcher: bed.dispatcher,
      });
      expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
      expect(ran.results).toContainEqual(
        expect.objectContaining({ definition: "0_smoke", case: "overlay", result: "pass" }),
      );
    } finally {
      await shelf.close();
    }
  },
);
