import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { methodPage } from "../support/method-page.ts";
import { runOnBed, type BedRan } from "../support/run-on-bed.ts";
import { startFileShelf } from "./file-shelf.ts";
import { onBoard, start, startUbootBoard, type FlashBoard } from "./flash-board.ts";
import { makeGuest } from "./guest.ts";
import { makePartitionedDisk } from "./partitioned-disk.ts";

let folder: string;
let bed: FlashBoard | undefined;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-flash-"));
});
afterEach(async () => {
  await bed?.close();
  delete process.env["PUMICE_DEV"];
  rmSync(folder, { recursive: true });
});
const at = (name: string): string => path.join(folder, name);
const run = (program: string, ...args: string[]): void => {
  execFileSync(program, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
};

async function runPage(
  name: string,
  files: Record<string, string>,
  change: (dictionary: string) => string = (dictionary) => dictionary,
): Promise<BedRan> {
  if (!bed) throw new Error("no board");
  const page = methodPage(name);
  const shelf = await startFileShelf(files);
  try {
    return await runOnBed({
      job: page.job.replaceAll("http://files.example.com/", shelf.url),
      dictionary: change(onBoard(page.dictionary, bed)),
      dispatcher: { dispatcher_ip: "127.0.0.1" },
    });
  } finally {
    await shelf.close();
  }
}

test("a board whose flash a lab's tool writes boots what was flashed", async () => {
  bed = await start(folder, () => {});
  const tool = at("flash-board");
  writeFileSync(
    tool,
    `#!/bin/sh
case "$1" in
  --slot) [ "$#" = 3 ] && [ "$2" = 3 ] && exec dd conv=notrunc bs=1M "if=$3" "of=${bed.flash}" ;;
  --note) [ "$#" = 2 ] && echo "noted: $2" ;;
  *) exit 2 ;;
esac
`,
    { mode: 0o755 },
  );
  const guest = await makeGuest(() => {}, "amd64");
  const files = { "rootfs.ext4.gz": path.join(guest, "rootfs.ext4.gz") };
  const ran = await runPage("deploy-flasher", files, (dictionary) =>
    dictionary.replaceAll("/usr/local/bin/flash-board", tool),
  );
  expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
  expect(ran.text).toMatch(/>> noted: http:\/\/127\.0\.0\.1:\d+\/a manual\.txt/);
  expect(ran.results).toContainEqual(
    expect.objectContaining({ case: "root-is-the-flash", result: "pass" }),
  );
});

/** A disk that U-Boot boots by itself: the kernel and how to start it lie in its only file system. */
async function bootableDisk(): Promise<string> {
  const guest = await makeGuest(() => {}, "arm64");
  const rootfs = path.join(guest, "rootfs.ext4.gz");
  writeFileSync(at("root"), execFileSync("gunzip", ["-c", rootfs], { maxBuffer: 1 << 26 }));
  run("/usr/sbin/e2fsck", "-fp", "root");
  run("truncate", "-s", "56M", "root");
  run("/usr/sbin/resize2fs", "root");
  const configuration = [
    "default pumice",
    "timeout 1",
    "label pumice",
    "  kernel /boot/Image",
    "  initrd /boot/initramfs",
    "  append console=ttyAMA0 root=/dev/vda1",
    "",
  ].join("\n");
  mkdirSync(at("boot"));
  writeFileSync(at("boot/extlinux.conf"), configuration);
  copyFileSync(path.join(guest, "vmlinuz"), at("boot/Image"));
  copyFileSync(path.join(guest, "initramfs.cpio.gz"), at("boot/initramfs"));
  const script = [
    "mkdir /boot",
    "mkdir /boot/extlinux",
    "cd /boot",
    "write boot/Image Image",
    "write boot/initramfs initramfs",
    "cd extlinux",
    "write boot/extlinux.conf extlinux.conf",
    "",
  ];
  execFileSync("/usr/sbin/debugfs", ["-w", "-f", "-", "root"], {
    cwd: folder,
    input: script.join("\n"),
    stdio: ["pipe", "ignore", "ignore"],
  });
  makePartitionedDisk(at("disk.img"), [at("root")]);
  run("xz", "-0", "-T2", "disk.img");
  return at("disk.img.xz");
}

test("a board is flashed through U-Boot's mass storage, and boots what was written, with the overlay in it", async () => {
  bed = await startUbootBoard(folder);
  // The disk that a board's USB port would show here.
  mkdirSync(at("dev/disk/by-id"), { recursive: true });
  symlinkSync(bed.flash, at("dev/disk/by-id/usb-Linux_UMS_disk_0_pumice-0:0"));
  process.env["PUMICE_DEV"] = at("dev");
  const disk = await bootableDisk();
  expect(readFileSync(bed.flash).every((byte) => byte === 0)).toBe(true);
  const ran = await runPage("deploy-u-boot-ums", { "disk.img.xz": disk });
  expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
  expect(ran.text).toContain("input ums 0 mmc 0");
  expect(ran.results).toContainEqual(
    expect.objectContaining({ case: "root-is-the-flash", result: "pass" }),
  );
});
