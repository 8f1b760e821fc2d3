import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startLossyWire } from "../support/lossy-wire.ts";
import { methodPage, type MethodPage } from "../support/method-page.ts";
import { pageOnBed } from "../support/page-on-bed.ts";
import { runOnBed, type BedRan } from "../support/run-on-bed.ts";
import type { PcBed } from "./efi.ts";
import * as grub from "./grub.ts";
import * as grubEfi from "./grub-efi.ts";
import * as ipxe from "./ipxe.ts";
import * as uefi from "./uefi.ts";
import * as uefiMenu from "./uefi-menu.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-pc-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Start = (folder: string, say: (line: string) => void) => Promise<PcBed>;

/** A firmware that is emulated on a busy machine takes longer than its board. */
const patient = (job: string): string =>
  job.replace(/^timeouts:\n/m, "timeouts:\n  actions: {bootloader-interrupt: {minutes: 4}}\n");

/** What is typed loses a character behind each of these. */
const LOSES_BEHIND = ["insmod li", "linux (tf", "dhcp n", "kernel tf", "ifconfig -", "tftp 10.0"];

/** An address, its mask and its gateway in QEMU's own network. */
const ADDRESS = "10.0.2.15 255.255.255.0 10.0.2.2";

/** The page's job on the bed, with its files, over a wire that loses characters; `edit` changes the job. */
async function runPage(
  start: Start,
  page: MethodPage,
  edit = (job: string): string => job,
): Promise<BedRan> {
  const bed = await start(folder, () => {});
  const dictionary = pageOnBed(page.dictionary, bed);
  const [, port = ""] = /connection_command = '.*:(\d+)'/.exec(dictionary) ?? [];
  const wire = await startLossyWire(Number(port), LOSES_BEHIND);
  try {
    return await runOnBed({
      job: patient(edit(page.job.replaceAll("http://files.example.com/", bed.files))),
      dictionary: dictionary.replace(`:${port}'`, `:${wire.port}'`),
      dispatcher: bed.dispatcher,
    });
  } finally {
    await wire.close();
    await bed.close();
  }
}

/** What makes such a job good: it passed, and the test's case came from the kernel that was booted. */
function expectSmoke({ outcome, results, text }: BedRan): void {
  expect(outcome.result, text.slice(-6000)).toBe("pass");
  const smoke = results.find((one) => one["case"] === "kernel");
  expect(smoke).toMatchObject({ definition: "0_smoke", result: "pass" });
}

describe("the documented job", { timeout: 240_000 }, () => {
  test("of grub boots a ramdisk from GRUB's command line", async () => {
    expectSmoke(await runPage(grub.start, methodPage("boot-grub")));
  });

  test("of grub-efi goes through the firmware's menu to GRUB", async () => {
    const ran = await runPage(grubEfi.start, methodPage("boot-grub-efi"));
    expectSmoke(ran);
    expect(ran.text).toContain('choosing 2, "LAVA PXE Grub"');
  });

  test("of ipxe types its commands", async () => {
    expectSmoke(await runPage(ipxe.start, methodPage("boot-ipxe")));
  });

  test("of ipxe with use_bootscript has iPXE fetch them", async () => {
    const ran = await runPage(ipxe.start, methodPage("boot-ipxe"), (job) =>
      job.replace("      method: ipxe\n", "      method: ipxe\n      use_bootscript: true\n"),
    );
    expectSmoke(ran);
    expect(ran.text).toMatch(/input chain tftp:\/\/10\.0\.2\.2\/1\/tftp-deploy-\w+\/script\.ipxe/);
  });

  test("of uefi goes through the firmware's menu to its shell", async () => {
    expectSmoke(await runPage(uefi.start, methodPage("boot-uefi")));
  });

  test("of uefi without a menu comes to the shell at once", async () => {
    // With an address of its own there is no answer of DHCP to wait for: an emulated processor works while it waits.
    const ran = await runPage(uefi.startBare, methodPage("boot-uefi"), (job) =>
      job
        .replace("      method: uefi\n", "      method: uefi\n      shell_menu: ''\n")
        .replace("ifconfig -s eth0 dhcp", `ifconfig -s eth0 static ${ADDRESS}`)
        .replace("stall 15000000", "stall 1000000"),
    );
    expect(ran.text).toContain("input stall 1000000");
    expectSmoke(ran);
    expect(ran.text).not.toContain("uefi-shell-menu-selector");
  });

  test("of uefi-menu has the boot manager forget its old entry and start a new one", async () => {
    const ran = await runPage(uefiMenu.start, methodPage("boot-uefi-menu"));
    expectSmoke(ran);
    expect(ran.text).toContain('choosing 3, "Boot Manager"');
  });
});

test(
  "a menu without the wanted item is named with the items that it has",
  { timeout: 240_000 },
  async () => {
    const page = methodPage("boot-grub-efi");
    const dictionary = `${page.dictionary}{% set grub_efi_pxe_menu_item = 'GRUB of the lab' %}\n`;
    const { outcome } = await runPage(grubEfi.start, { ...page, dictionary });
    expect(outcome).toMatchObject({
      error_type: "Job",
      error_msg:
        'the firmware\'s menu has no item "GRUB of the lab"; it has "Boot Manager", "LAVA PXE Grub", "Shell"',
    });
  },
);
