import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { appendCpio } from "../../worker/overlay/cpio.ts";
import { cpioFolders, isInitramfs } from "../../worker/overlay/cpio-folders.ts";
import { packTree } from "../../worker/overlay/pack-tree.ts";
import { makeExt2 } from "../../worker/overlay/ext2.ts";

const dir = mkdtempSync(path.join(tmpdir(), "pumice-archives-"));
afterAll(() => rmSync(dir, { recursive: true }));
const tree = path.join(dir, "tree");
beforeAll(() => {
  mkdirSync(path.join(tree, "bin"), { recursive: true });
  mkdirSync(path.join(tree, "empty"));
  writeFileSync(path.join(tree, "bin/tool"), "#!/bin/sh\n", { mode: 0o755 });
  writeFileSync(path.join(tree, "a b'c"), "odd name, odd length");
  writeFileSync(path.join(tree, "nothing"), "");
  writeFileSync(path.join(tree, "secrets"), "x", { mode: 0o600 });
  symlinkSync("../../etc/passwd", path.join(tree, "link"));
  chmodSync(path.join(tree, "secrets"), 0o600);
});

async function archive(
  name: string,
  before: Buffer,
  prefix: string,
  skip?: (folder: string) => boolean,
): Promise<string> {
  const file = path.join(dir, name);
  writeFileSync(file, before);
  const handle = await open(file, "r+");
  await appendCpio(handle, tree, prefix, skip).finally(() => handle.close());
  return file;
}
const cpio = (args: string[], input: Buffer): string =>
  execFileSync("cpio", args, { input, encoding: "utf8", stdio: ["pipe", "pipe", "pipe"] });

describe("a tar archive", () => {
  const listing = (file: string): string =>
    execFileSync("tar", ["--numeric-owner", "-tvzf", file], { encoding: "utf8" });

  test("is read by tar: names, modes, owner, links, content, folders that are empty", async () => {
    const file = path.join(dir, "overlay.tar.gz");
    await packTree(tree, file, new AbortController().signal);
    const lines = listing(file)
      .trim()
      .split("\n")
      .map((line) => line.replace(/^(\S+) (\S+) +(\d+) \S+ \S+ /, "$1 $2 $3 "));
    expect(lines).toEqual([
      "-rw-r--r-- 0/0 20 a b'c",
      "drwxr-xr-x 0/0 0 bin/",
      "-rwxr-xr-x 0/0 10 bin/tool",
      "drwxr-xr-x 0/0 0 empty/",
      "lrwxrwxrwx 0/0 0 link -> ../../etc/passwd",
      "-rw-r--r-- 0/0 0 nothing",
      "-rw------- 0/0 1 secrets",
    ]);
    const target = path.join(dir, "untarred");
    mkdirSync(target);
    execFileSync("tar", ["-C", target, "-xzf", file]);
    expect(readFileSync(path.join(target, "a b'c"), "utf8")).toBe("odd name, odd length");
    expect(readlinkSync(path.join(target, "link"))).toBe("../../etc/passwd");
  });

  test("has names, links and files of any length", async () => {
    const root = path.join(dir, "long");
    const folder = path.join("f".repeat(120), "g".repeat(100));
    mkdirSync(path.join(root, folder), { recursive: true });
    const big = randomBytes(200_001);
    writeFileSync(path.join(root, folder, "é".repeat(60)), big);
    // A name, and a target, with no room for the zero behind them, and one that has just none.
    for (const length of [99, 100, 101]) {
      writeFileSync(path.join(root, "n".repeat(length)), String(length));
      symlinkSync("t".repeat(length), path.join(root, `link-${length}`));
    }
    const file = path.join(dir, "long.tar.gz");
    await packTree(root, file, new AbortController().signal);
    for (const tar of [["tar"], ["busybox", "tar"]] as const) {
      const target = path.join(dir, `of-${tar[0]}`);
      mkdirSync(target);
      const [program, ...applet] = tar;
      execFileSync(program, [...applet, "-C", target, "-xzf", file]);
      expect(readFileSync(path.join(target, folder, "é".repeat(60)))).toEqual(big);
      for (const length of [99, 100, 101]) {
        expect(readFileSync(path.join(target, "n".repeat(length)), "utf8")).toBe(String(length));
        expect(readlinkSync(path.join(target, `link-${length}`))).toBe("t".repeat(length));
      }
    }
  });

  test("is given up when the job is", async () => {
    const stop = new AbortController();
    stop.abort(new Error("the job was canceled"));
    await expect(packTree(tree, path.join(dir, "none.tar.gz"), stop.signal)).rejects.toThrow();
  });
});

describe("a cpio archive", () => {
  test("is read by cpio: names, modes, owner, links, content", async () => {
    const bytes = readFileSync(await archive("plain.cpio", Buffer.alloc(0), "lava-7"));
    expect(cpio(["-t", "--quiet"], bytes).trim().split("\n")).toEqual(
      ["", "/a b'c", "/bin", "/bin/tool", "/empty", "/link", "/nothing", "/secrets"].map(
        (name) => `lava-7${name}`,
      ),
    );
    const listing = cpio(["-tv", "--numeric-uid-gid", "--quiet"], bytes);
    expect(listing).toMatch(/-rw------- +1 0 +0 +1 .*lava-7\/secrets/);
    expect(listing).toMatch(/-rwxr-xr-x +1 0 +0 +10 .*lava-7\/bin\/tool/);
    expect(listing).toMatch(/lava-7\/link -> \.\.\/\.\.\/etc\/passwd/);
    const out = path.join(dir, "out");
    mkdirSync(out);
    execFileSync("cpio", ["-id", "--quiet", "-D", out], { input: bytes });
    expect(readFileSync(path.join(out, "lava-7/a b'c"), "utf8")).toBe("odd name, odd length");
    expect(statSync(path.join(out, "lava-7/bin/tool")).mode & 0o777).toBe(0o755);
  });

  test("begins at a multiple of 4 behind what was there and four zero bytes, and equal trees give equal bytes", async () => {
    const alone = readFileSync(await archive("alone.cpio", Buffer.alloc(0), "lava-7"));
    const after = readFileSync(await archive("after.cpio", Buffer.from("12345"), "lava-7"));
    expect(after.subarray(0, 12).toString("latin1")).toBe(`12345${"\0".repeat(7)}`);
    expect(after.subarray(12).equals(alone)).toBe(true);
  });

  test("has the folders on the way to a deep prefix, and leaves out what exists", async () => {
    const file = await archive(
      "deep.cpio",
      Buffer.alloc(0),
      "var/lib/lava-7",
      (name) => name === "var",
    );
    const names = cpio(["-t", "--quiet"], readFileSync(file)).split("\n");
    expect(names.slice(0, 3)).toEqual(["var/lib", "var/lib/lava-7", "var/lib/lava-7/a b'c"]);
  });
});

describe("the folders of an initramfs", () => {
  const root = path.join(dir, "initramfs");
  let plain: Buffer;
  beforeAll(() => {
    mkdirSync(path.join(root, "usr/lib/modules"), { recursive: true });
    mkdirSync(path.join(root, "tmp"));
    symlinkSync("usr/lib", path.join(root, "lib"));
    symlinkSync("/usr", path.join(root, "absolute"));
    writeFileSync(path.join(root, "init"), "x".repeat(200_000));
    const names = execFileSync("find", [".", "-print0"], { cwd: root });
    plain = execFileSync("cpio", ["-o0", "-H", "newc", "--quiet"], { cwd: root, input: names });
  });
  const compressed = (tool: string): Buffer => execFileSync(tool, ["-c"], { input: plain });

  test.each<[string, () => Buffer]>([
    ["plain", () => plain],
    ["gzip", () => gzipSync(plain)],
    ["xz", () => compressed("xz")],
    ["zstd", () => compressed("zstd")],
    ["two archives, the second compressed", () => Buffer.concat([emptyArchive(), gzipSync(plain)])],
  ])("are known, also through links: %s", async (name, bytes) => {
    const file = path.join(dir, `folders-${name.slice(0, 3)}`);
    writeFileSync(file, bytes());
    expect(await isInitramfs(file)).toBe(true);
    const exists = await cpioFolders(file);
    const asked = [
      "lib",
      "lib/modules",
      "usr/lib",
      "absolute/lib/modules",
      "tmp",
      "lib/none",
      "init",
      "x",
    ];
    expect(asked.filter(exists)).toEqual(asked.slice(0, 5));
  });

  test("a compressed file system is no initramfs", async () => {
    const file = path.join(dir, "ramdisk.gz");
    writeFileSync(file, gzipSync(Buffer.alloc(4096, 1)));
    expect(await isInitramfs(file)).toBe(false);
    writeFileSync(file, Buffer.alloc(4096));
    expect(await isInitramfs(file)).toBe(false);
  });

  test("of what can't be read, the usual folders count as there", async () => {
    const file = path.join(dir, "damaged");
    writeFileSync(file, Buffer.concat([Buffer.from("070701"), Buffer.alloc(500, 0x7a)]));
    const exists = await cpioFolders(file);
    expect([exists("lib"), exists("lib/modules"), exists("lava-7")]).toEqual([true, false, false]);
  });
});

/** An archive with nothing but its end, padded as mkinitcpio and dracut pad their microcode. */
function emptyArchive(): Buffer {
  const bytes = execFileSync("cpio", ["-o", "-H", "newc", "--quiet"], { input: "" });
  return Buffer.concat([bytes, Buffer.alloc(512)]);
}

test("no initramfs stays open of which only the beginning had to be read", async () => {
  const file = path.join(dir, "long.gz");
  const noise = Buffer.from(Array.from({ length: 4 << 20 }, (_, n) => (n * n * 7919) >>> 3));
  writeFileSync(file, gzipSync(Buffer.concat([emptyArchive(), noise])));
  await isInitramfs(file);
  await cpioFolders(file);
  const opened = (): string[] =>
    readdirSync("/proc/self/fd").flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/self/fd/${fd}`)];
      } catch {
        return [];
      }
    });
  await vi.waitFor(() => expect(opened()).not.toContain(file));
});

test("an ext2 image has the tree, owned by root, under its UUID, and takes little room", async () => {
  const image = path.join(dir, "guest.ext2");
  const uuid = "0d1c3a3e-5a57-4e0a-9d27-6c6c2a8f9b11";
  await makeExt2(image, tree, { uuid, sizeMb: 64 });
  const env = { PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` };
  const debugfs = (command: string): string =>
    execFileSync("debugfs", ["-R", command, image], {
      env,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  execFileSync("e2fsck", ["-fn", image], { env, stdio: "ignore" });
  expect(debugfs("stats")).toMatch(new RegExp(`UUID: +${uuid}`));
  expect(debugfs('cat "/a b\'c"')).toBe("odd name, odd length");
  expect(debugfs("stat bin/tool")).toMatch(/Mode: +0755[^]*User: +0 +Group: +0/);
  const { size, blocks } = statSync(image);
  expect(size).toBe(64 * 1024 * 1024);
  expect(blocks * 512).toBeLessThan(4 * 1024 * 1024);
});

test("an ext2 image that is too small for the tree says whose number that is", async () => {
  writeFileSync(path.join(tree, "large"), Buffer.alloc(2 * 1024 * 1024, 1));
  const made = makeExt2(path.join(dir, "small.ext2"), tree, {
    uuid: crypto.randomUUID(),
    sizeMb: 1,
  });
  await expect(made).rejects.toMatchObject({
    type: "Infrastructure",
    message: expect.stringContaining("guest size") as string,
  });
});
