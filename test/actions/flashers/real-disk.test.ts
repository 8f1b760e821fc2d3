import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { methodPage } from "../../support/method-page.ts";
import { startToolBench, type ToolBench } from "../../support/tool-bench.ts";

/** A disk of this machine, made of a file: mounting is for root, and not in every container. */
interface Disk {
  readonly device: string;
  readonly image: string;
}

const sbin = (tool: string, ...args: string[]): string =>
  execFileSync(tool, args, {
    encoding: "utf8",
    env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` },
    stdio: ["ignore", "pipe", "ignore"],
  });

function makeDisk(folder: string): Disk | undefined {
  const image = path.join(folder, "disk.img");
  try {
    sbin("mke2fs", "-q", "-t", "ext4", image, "8M");
    const device = sbin("losetup", "-f", "--show", image).trim();
    const at = path.join(folder, "try");
    mkdirSync(at);
    try {
      sbin("mount", device, at);
      sbin("umount", at);
      return { device, image };
    } catch {
      sbin("losetup", "-d", device);
      return undefined;
    }
  } catch {
    return undefined;
  }
}

const folder = mkdtempSync(path.join(tmpdir(), "pumice-disk-"));
const disk = makeDisk(folder);
if (!disk) console.warn("skipped: this machine can't mount a file as a disk (root, loop devices)");
let bench: ToolBench;
afterAll(() => {
  if (disk) sbin("losetup", "-d", disk.device);
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => void (bench = await startToolBench()));
afterEach(() => bench.close());

describe.skipIf(!disk)("a board's disk, mounted for real", () => {
  const mounted = (): boolean => readFileSync("/proc/mounts", "utf8").includes(`${disk?.device} `);

  beforeEach(() => {
    bench.tool("board-power", "");
    const archive = path.join(bench.folder, "mps.tar.gz");
    mkdirSync(path.join(bench.folder, "a/MB"), { recursive: true });
    writeFileSync(path.join(bench.folder, "a/MB/board.txt"), "board");
    execFileSync("tar", ["-C", path.join(bench.folder, "a"), "-czf", archive, "."]);
    bench.serve("mps.tar.gz", readFileSync(archive));
    bench.serve("zephyr.elf", "program");
    symlinkSync(disk?.device ?? "", path.join(bench.folder, "dev/disk/by-label/V2M-MPS"));
  });

  test("has the files when the job has ended, and is mounted no more", async () => {
    const { outcome, text } = await bench.run(methodPage("deploy-mps"));
    expect(outcome, text).toMatchObject({ result: "pass" });
    expect(mounted()).toBe(false);
    const cat = (name: string): string =>
      spawnSync("/sbin/debugfs", ["-R", `cat ${name}`, disk?.image ?? ""], { encoding: "utf8" })
        .stdout;
    expect(cat("/SOFTWARE/mbed.elf")).toBe("program");
    expect(cat("/MB/board.txt")).toBe("board");
    expect(cat("/reboot.txt")).toBe("hsyxhj");
  });

  test("that is too small fails the job, and is mounted no more", async () => {
    bench.serve("zephyr.elf", Buffer.alloc(16 * 1024 * 1024, 1));
    const { outcome } = await bench.run(methodPage("deploy-mps"));
    expect(outcome).toMatchObject({ error_type: "Infrastructure" });
    expect(outcome.error_msg).toMatch(/can't be written to the board's disk: ENOSPC/);
    expect(mounted()).toBe(false);
  });
});
