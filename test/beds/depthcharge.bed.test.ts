import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { methodPage } from "../support/method-page.ts";
import { runOnBed } from "../support/run-on-bed.ts";
import { start } from "./depthcharge.ts";
import type { UbootBed } from "./uboot.ts";

let folder: string;
let bed: UbootBed;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-depthcharge-"));
  bed = await start(folder, console.error);
});
afterAll(async () => {
  await bed.close();
  rmSync(folder, { recursive: true });
});

test("a board boots kernel, device tree and ramdisk, with the overlay, from one FIT image", async () => {
  const page = methodPage("boot-depthcharge");
  const job = page.job.replace(
    "bzImage}",
    "Image}\n      dtb: {url: http://files.example.com/board.dtb}",
  );
  const ran = await runOnBed({
    job: (job + SMOKE).replaceAll("http://files.example.com/", bed.files),
    dictionary: bed.dictionary,
    dispatcher: bed.dispatcher,
  });
  expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
  // What U-Boot says of the image: it has checked each part's hash.
  const parts = ran.text.split("## Loading ").slice(1, 4);
  expect(parts.map((part) => part.split(" from FIT")[0])).toEqual(["kernel", "ramdisk", "fdt"]);
  for (const part of parts) expect(part).toContain("Verifying Hash Integrity ... crc32+ OK");
  expect(parts[0]).toMatch(/lzma compressed[^]* Load Address: 0x40400000\n/);
  expect(parts[2]).toContain(
    `Data Size:    ${statSync(path.join(folder, "board.dtb")).size} Bytes`,
  );
  const smoke = ran.results.filter(({ definition }) => definition === "0_smoke");
  expect(smoke, ran.text).toMatchObject([
    { case: "command-line", result: "pass" },
    { case: "overlay", result: "pass" },
  ]);
});

const SMOKE = `
  - test:
      definitions:
        - from: inline
          name: smoke
          path: smoke.yaml
          repository:
            metadata: {format: Lava-Test Test Definition 1.0, name: smoke}
            run:
              steps:
                - lava-test-case command-line --shell grep "console=ttyAMA0,115200n8 root=/dev/ram0 ip=dhcp loglevel=7$" /proc/cmdline
                - lava-test-case overlay --shell test -d /lava-1/bin
`;
