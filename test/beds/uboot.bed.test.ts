import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startLossyWire } from "../support/lossy-wire.ts";
import { methodPage } from "../support/method-page.ts";
import { pageOnBed } from "../support/page-on-bed.ts";
import { runOnBed, type BedRan } from "../support/run-on-bed.ts";
import { startUboot, type UbootBed } from "./uboot.ts";

const page = methodPage("boot-u-boot");

interface Variant {
  /** Changes of the page's job and dictionary, text by text. */
  readonly job?: readonly (readonly [string, string])[];
  readonly dictionary?: readonly (readonly [string, string])[];
  readonly more?: string;
  readonly page?: string;
  /** Of another wire to its console. */
  readonly consolePort?: number;
}

function runPage(bed: UbootBed, variant: Variant = {}): Promise<BedRan> {
  const source = variant.page ? methodPage(variant.page) : page;
  const change = (text: string, changes: Variant["job"] = []): string =>
    changes.reduce((changed, [from, to]) => {
      if (!changed.includes(from)) throw new Error(`the page has no ${JSON.stringify(from)}`);
      return changed.replaceAll(from, to);
    }, text);
  const job = change(source.job, variant.job).replaceAll("http://files.example.com/", bed.files);
  const dictionary = pageOnBed(change(source.dictionary, variant.dictionary), bed).replace(
    `:${bed.consolePort}'`,
    `:${variant.consolePort ?? bed.consolePort}'`,
  );
  return runOnBed({
    job,
    dictionary: dictionary + (variant.more ?? ""),
    dispatcher: bed.dispatcher,
  });
}

const typed = ({ records }: BedRan): string[] =>
  records.filter(({ lvl }) => lvl === "input").map(({ msg }) => String(msg));
const smoke = ({ results }: BedRan) =>
  results
    .filter(({ definition }) => definition === "0_smoke")
    .map(({ case: name, result }) => [name, result]);

function bedOf(arch: "arm64" | "armhf"): () => UbootBed {
  let folder: string;
  let bed: UbootBed | undefined;
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), `pumice-uboot-${arch}-`));
    bed = await startUboot(folder, console.error, arch);
  });
  afterAll(async () => {
    await bed?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return () => {
    if (!bed) throw new Error("the bed did not start");
    return bed;
  };
}

describe("U-Boot on a 64-bit board", () => {
  const bed = bedOf("arm64");

  test("boots what the page deploys, and its tests report", async () => {
    const ran = await runPage(bed());
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    expect(smoke(ran)).toEqual([
      ["kernel", "pass"],
      ["network", "pass"],
    ]);
    expect(typed(ran)).toContain("booti 0x40400000 0x44000000 0x43e00000");
    expect(ran.text).not.toContain("the echo differs");
    expect(ran.results).toContainEqual(
      expect.objectContaining({
        case: "bootloader-overlay",
        extra: expect.objectContaining({ kernel_addr: "0x40400000" }) as unknown,
      }),
    );
  });

  test("boots a ramdisk without U-Boot's header when its size is said", async () => {
    const ran = await runPage(bed(), { more: "{% set uboot_ramdisk_format = 'raw' %}\n" });
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    expect(typed(ran)).toContain("booti 0x40400000 0x44000000:${initrd_size} 0x43e00000");
  });

  test("types the device's commands for each device tree overlay, at the tree that the kernel gets", async () => {
    // Debian's U-Boot can't merge overlays (`fdt apply`): what was fetched is noted in the tree instead.
    const commands = "['tftp {DTBO_ADDR} {DTBO}', 'fdt set / fetched ${filesize}']";
    const ran = await runPage(bed(), {
      job: [
        ["      os: oe", `      dtbo: [{url: ${bed().files}board.dtb}]\n      os: oe`],
        [
          "lava-test-case network --shell ip route",
          "lava-test-case overlay --shell grep -q 100000 /proc/device-tree/fetched",
        ],
      ],
      more: `{% set enable_dtbo_support = true %}
{% set booti_dtbo_addr = '0x43d00000' %}
{% set apply_dtbo_commands = ${commands} %}
`,
    });
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    expect(typed(ran)).toContain("fdt resize 1048576");
    expect(smoke(ran)).toContainEqual(["overlay", "pass"]);
  });

  test("restarts into its other bank, and is talked to there", async () => {
    const ran = await runPage(bed(), { more: "{% set uboot_altbank = true %}\n" });
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    expect(typed(ran).slice(0, 4)).toEqual([" ", "reset", " ", "setenv autoload no"]);
  });

  test("says what went wrong when a file is missing: the lab's fault, and the board is switched off", async () => {
    const commands =
      '["setenv autoload no", dhcp, "setenv serverip {SERVER_IP}", "tftp 0x40400000 {KERNEL}.gone", boot]';
    const ran = await runPage(bed(), { job: [["commands: ramdisk", `commands: ${commands}`]] });
    expect(ran.outcome).toMatchObject({
      error_type: "Infrastructure",
      error_msg: "matched a bootloader error message: 'File not found' (6)",
    });
    expect(ran.results).toContainEqual(
      expect.objectContaining({ case: "power-off", result: "pass" }),
    );
  });

  test("executes no command that lost a character on the wire", async () => {
    const wire = await startLossyWire(bed().consolePort, [
      "setenv auto",
      "setenv ini",
      "booti 0x4",
    ]);
    try {
      const ran = await runPage(bed(), { consolePort: wire.port });
      expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
      expect(wire.lost()).toBe(3);
      expect(typed(ran).filter((line) => line === "setenv autoload no")).toHaveLength(2);
    } finally {
      await wire.close();
    }
  });

  test("is left at its prompt for a test that talks to it", async () => {
    const ran = await runPage(bed(), { page: "boot-bootloader" });
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    const cases = ran.results.filter(({ definition }) =>
      String(definition).endsWith("environment"),
    );
    expect(cases.map(({ case: name, result }) => [name, result])).toEqual([
      ["lab", "pass"],
      ["memory", "pass"],
    ]);
  });
});

describe("U-Boot on a 32-bit board", () => {
  const bed = bedOf("armhf");
  const zImage = [
    ["Image", "zImage"],
    ["type: image", "type: zimage"],
  ] as const;

  test("boots a zImage by bootz", async () => {
    const ran = await runPage(bed(), {
      job: zImage,
      dictionary: [["booti_", "bootz_"]],
      more: ARM,
    });
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    expect(smoke(ran)).toHaveLength(2);
    expect(typed(ran)).toContain("bootz 0x40400000 0x44000000 0x43e00000");
  });

  test("boots it as a uImage by bootm where the board knows nothing else", async () => {
    const addresses = [
      ["booti_", "bootm_"],
      ["0x40400000", "0x40800000"],
    ] as const;
    const ran = await runPage(bed(), { job: zImage, dictionary: addresses, more: ARM });
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    expect(typed(ran)).toContain("bootm 0x40800000 0x44000000 0x43e00000");
  });
});

const ARM = "{% set uboot_mkimage_arch = 'arm' %}\n";
