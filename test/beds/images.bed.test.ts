import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { methodPage } from "../support/method-page.ts";
import { runOnBed, type BedRan } from "../support/run-on-bed.ts";
import { startFileShelf, type FileShelf } from "./file-shelf.ts";
import { makeGuest } from "./guest.ts";
import { makePartitionedDisk } from "./partitioned-disk.ts";

const folder = mkdtempSync(path.join(tmpdir(), "pumice-images-"));
const at = (name: string): string => path.join(folder, name);
const run = (program: string, ...args: string[]): void => {
  execFileSync(program, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
};

let shelf: FileShelf;
beforeAll(async () => {
  const guest = await makeGuest(() => {}, "amd64");
  const rootfs = path.join(guest, "rootfs.ext4.gz");
  writeFileSync(at("root"), execFileSync("gunzip", ["-c", rootfs], { maxBuffer: 1 << 26 }));
  run("/usr/sbin/mke2fs", "-q", "-F", "-t", "ext2", "first", "1M");
  makePartitionedDisk(at("disk.img"), [at("first"), at("root")]);
  run("xz", "-0", "disk.img");
  mkdirSync(at("notes/a"), { recursive: true });
  writeFileSync(at("notes/a/hello"), "hello from pumice\n", { mode: 0o644 });
  run("tar", "-C", "notes", "-czf", "notes.tar.gz", ".");
  writeFileSync(at("motd"), "pumice floats\n");
  writeFileSync(at("empty.img"), "");
  truncateSync(at("empty.img"), 32 * 1024 * 1024);
  shelf = await startFileShelf({
    vmlinuz: path.join(guest, "vmlinuz"),
    "initramfs.cpio.gz": path.join(guest, "initramfs.cpio.gz"),
    "rootfs.ext4.gz": rootfs,
    "disk.img.xz": at("disk.img.xz"),
    "notes.tar.gz": at("notes.tar.gz"),
    motd: at("motd"),
    "empty.img": at("empty.img"),
  });
});
afterAll(async () => {
  await shelf.close();
  rmSync(folder, { recursive: true });
});

async function runPage(
  name: string,
  change: (job: string) => string = (job) => job,
): Promise<BedRan> {
  const page = methodPage(name);
  return runOnBed({
    job: change(page.job.replaceAll("http://files.example.com/", shelf.url)),
    dictionary: page.dictionary,
    // This machine's loopback, as a guest on QEMU's own network sees it.
    dispatcher: { dispatcher_ip: "10.0.2.2", services_address: "127.0.0.1" },
  });
}

const verdicts = ({ results }: BedRan, suite: string): Record<string, unknown> =>
  Object.fromEntries(
    results.filter(({ definition }) => definition === suite).map((r) => [r["case"], r["result"]]),
  );

test("a guest boots from a partition that overlays were put into", async () => {
  const ran = await runPage("deploy-tmpfs");
  expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
  expect(verdicts(ran, "0_disk"), ran.text).toEqual({
    notes: "pass",
    motd: "pass",
    owner: "pass",
    "one-drive": "pass",
  });
});

describe.each(["usb", "sata", "sd"])("an image for %s", (to) => {
  test("is written by the system that runs, and has the content it should", async () => {
    const ran = await runPage(`deploy-${to}`);
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    expect(verdicts(ran, "0_written"), ran.text).toEqual({ mounts: "pass", content: "pass" });
  });
});

describe("an image that can't be written", () => {
  const page = "deploy-usb";

  test("to a disk that isn't there fails as the lab's, and no file is made in its place", async () => {
    const ran = await runPage(page, (job) =>
      job.replace("- ln -s", "- '# ln -s").replace(/(# ln -s.*)/, "$1'"),
    );
    expect(ran.outcome).toMatchObject({ result: "fail", error_type: "Infrastructure" });
    expect(ran.outcome.error_msg).toContain("the DUT has no disk /dev/disk/by-id/usb-SanDisk");
  });

  test("because it can't be fetched fails, though dd is content with nothing", async () => {
    const ran = await runPage(page, (job) => job.replace("{DOWNLOAD_URL}", "{DOWNLOAD_URL}-not"));
    expect(ran.outcome).toMatchObject({ result: "fail", error_type: "Job" });
    expect(ran.outcome.error_msg).toContain("the download failed (download, exit code 1)");
  });

  test("because the medium is too small fails with dd's exit code", async () => {
    truncateSync(at("empty.img"), 1024 * 1024);
    try {
      const ran = await runPage(page);
      expect(ran.outcome, ran.text).toMatchObject({ result: "fail", error_type: "Job" });
      expect(ran.outcome.error_msg).toContain("it failed (exit code 1)");
    } finally {
      truncateSync(at("empty.img"), 32 * 1024 * 1024);
    }
  });
});

test("a writer that fetches by itself gets the address and the disk, and finds what lies beside", async () => {
  const tool = [
    "      uniquify: false",
    "      images:",
    `        image: {url: ${shelf.url}rootfs.ext4.gz, compression: gz}`,
    `        sum: {url: ${shelf.url}motd}`,
    "      writer:",
    "        tool: /bin/sh",
    `        options: -c 'wget -O - "$(dirname "$1")/motd" && wget -O "$2" "$1"' x {DOWNLOAD_URL} {DEVICE}`,
    "        prompt: Connecting",
    "  - test:\n      namespace: system",
  ].join("\n");
  const ran = await runPage("deploy-usb", (job) =>
    job.replace(/ {6}image:\n[\s\S]*? {2}- test:\n {6}namespace: system/, tool),
  );
  expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
  expect(verdicts(ran, "0_written"), ran.text).toEqual({ mounts: "pass", content: "pass" });
  expect(ran.text).toMatch(/pumice floats\s*$/m);
});

test("a guest that only prints is read by monitors", async () => {
  const ran = await runPage("boot-monitor");
  expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
  expect(ran.results).toContainEqual(
    expect.objectContaining({ case: "memory", result: "pass", units: "K" }),
  );
});
