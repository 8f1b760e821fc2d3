import { execFileSync } from "node:child_process";
import {
  chmodSync,
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
import { addToExt4 } from "../../worker/overlay/ext4-edit.ts";
import { imagePart } from "../../worker/overlay/partition-table.ts";

const { signal } = new AbortController();
let dir = "";
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-ext4-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

const tool = (program: string, ...args: string[]): string =>
  execFileSync(program, args, {
    encoding: "utf8",
    cwd: dir,
    env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` },
    stdio: ["pipe", "pipe", "ignore"],
  });

/** Files by path; a text that begins with `->` makes a symbolic link. */
function tree(name: string, files: Record<string, string>): string {
  const root = path.join(dir, name);
  mkdirSync(root, { recursive: true });
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.join(root, path.dirname(file)), { recursive: true });
    if (text.startsWith("->")) symlinkSync(text.slice(2), path.join(root, file));
    else writeFileSync(path.join(root, file), text);
  }
  return root;
}

function makeImage(size: string, files: Record<string, string>, ...options: string[]): string {
  const source = tree("source", { "etc/hostname": "board\n", ...files });
  tool("mke2fs", "-q", "-F", "-t", "ext4", "-d", source, ...options, "root.ext4", size);
  return path.join(dir, "root.ext4");
}

async function add(
  image: string,
  folder: string,
  at: string,
  index?: number,
): Promise<{ cat: (file: string) => string; stat: (file: string) => string }> {
  const part = await imagePart(image, index);
  await addToExt4(image, part, { folder, at }, signal);
  const place = `./${path.basename(image)}?offset=${part.offset}`;
  expect(tool("e2fsck", "-fn", place)).not.toMatch(/error|Fix/i);
  return {
    cat: (file) => tool("debugfs", "-R", `cat ${file}`, place),
    stat: (file) => tool("debugfs", "-R", `stat ${file}`, place),
  };
}

test("an overlay is put into an ext4 image, with its modes, owned by root, and e2fsck finds nothing wrong", async () => {
  const image = makeImage("8M", {});
  const overlay = tree("overlay", {
    "bin/run": "#!/bin/sh\n",
    "0/tests/a": "x",
    link: "->bin/run",
  });
  chmodSync(path.join(overlay, "bin/run"), 0o755);
  chmodSync(path.join(overlay, "0/tests/a"), 0o600);
  const { cat, stat } = await add(image, overlay, "/lava-42");
  expect(cat("/lava-42/bin/run")).toBe("#!/bin/sh\n");
  expect(stat("/lava-42/bin/run")).toMatch(/Mode:\s+0755[\s\S]*User:\s+0\s+Group:\s+0/);
  expect(stat("/lava-42/0/tests/a")).toMatch(/Mode:\s+0600/);
  expect(stat("/lava-42/link")).toContain('Fast link dest: "bin/run"');
  expect(cat("/etc/hostname")).toBe("board\n");
});

test("folders that are there stay as they are, symbolic links to folders too, and files are replaced", async () => {
  const image = makeImage("8M", {
    "usr/lib/old": "old",
    lib: "->usr/lib",
    "var/x": "->/etc/hostname",
  });
  tool("debugfs", "-w", "-R", "sif /usr mode 040711", image);
  const overlay = tree("overlay", {
    "usr/lib/old": "new",
    "lib/modules/6.1/a.ko": "module",
    "var/x": "a file now",
  });
  const { cat, stat } = await add(image, overlay, "/");
  expect(cat("/usr/lib/old")).toBe("new");
  expect(cat("/usr/lib/modules/6.1/a.ko")).toBe("module");
  expect(stat("/lib")).toContain("Type: symlink");
  expect(stat("/usr")).toMatch(/Mode:\s+0711/);
  expect(cat("/var/x")).toBe("a file now");
  expect(cat("/etc/hostname")).toBe("board\n");
});

test("names with spaces, quotes and what debugfs would take for commands are names", async () => {
  const image = makeImage("8M", {});
  const names = ['a "b" c', "<12>", "-w", "; rm", "#x", "ü'", "a\\b"];
  const overlay = tree("overlay", Object.fromEntries(names.map((name) => [name, `<${name}>`])));
  await add(image, overlay, '/lava it\'s/"q"');
  tool("debugfs", "-R", `rdump "/lava it's" ${dir}`, image);
  for (const name of names) {
    expect(readFileSync(path.join(dir, `lava it's/"q"`, name), "utf8")).toBe(`<${name}>`);
  }
});

test("a folder with many files, and one that is large, leave a clean file system", async () => {
  const image = makeImage("32M", {});
  const files = Object.fromEntries(
    Array.from({ length: 1200 }, (_, n) => [`many/file-${n}`, `${n}`]),
  );
  const overlay = tree("overlay", { ...files, large: "0123456789abcdef".repeat(500_000) });
  const { cat } = await add(image, overlay, "/lava-1");
  expect(cat("/lava-1/many/file-1199")).toBe("1199");
});

test.each([
  ["label: dos\n2048,8192\n,,E\n,8192,L\n,,L\n", 0, 2048 * 512],
  [
    "label: dos\nstart=2048,size=8192,type=c\nstart=12288,type=5\nstart=14336,size=2048\nstart=18432,type=83\n",
    3,
    18432 * 512,
  ],
  ["label: gpt\nstart=2048,size=2048\nstart=8192,type=L\n", 1, 8192 * 512],
])(
  "the partition that is named is the one that is changed, and nothing else (%#)",
  async (table, index, offset) => {
    const partition = readFileSync(makeImage("6M", {}));
    const disk = path.join(dir, "disk.img");
    writeFileSync(disk, Buffer.alloc(24 * 1024 * 1024, 0x5a));
    execFileSync("/usr/sbin/sfdisk", ["-q", "--wipe", "never", disk], {
      input: table,
      stdio: ["pipe", "ignore", "pipe"],
    });
    const bytes = readFileSync(disk);
    partition.copy(bytes, offset);
    writeFileSync(disk, bytes);
    const { cat } = await add(disk, tree("overlay", { "bin/x": "here" }), "/lava-3", index);
    expect(cat("/lava-3/bin/x")).toBe("here");
    const after = readFileSync(disk);
    expect(after.length).toBe(bytes.length);
    expect(after.subarray(0, offset).equals(bytes.subarray(0, offset))).toBe(true);
    const end = offset + partition.length;
    expect(after.subarray(end).equals(bytes.subarray(end))).toBe(true);
  },
);

test("a chain of partition tables that has no end is not followed for ever", async () => {
  const disk = path.join(dir, "disk.img");
  const bytes = Buffer.alloc(1024 * 1024);
  // An extended partition at sector 8, whose table names only itself as the next one.
  for (const [at, start] of [
    [0, 8],
    [8 * 512, 8],
    [16 * 512, 8],
  ] as const) {
    bytes.writeUInt8(5, at + 446 + 4);
    bytes.writeUInt32LE(start, at + 446 + 8);
    bytes.writeUInt32LE(8, at + 446 + 12);
    bytes.writeUInt16LE(0xaa55, at + 510);
  }
  writeFileSync(disk, bytes);
  await expect(imagePart(disk, 1)).rejects.toMatchObject({ type: "Job" });
});

test("a partition that isn't there is named with those that are", async () => {
  const disk = path.join(dir, "disk.img");
  writeFileSync(disk, Buffer.alloc(8 * 1024 * 1024));
  await expect(imagePart(disk, 0)).rejects.toMatchObject({
    type: "Job",
    message: expect.stringContaining("it has no partition table"),
  });
  execFileSync("/usr/sbin/sgdisk", ["-n", "1:2048:4095", disk], { stdio: "ignore" });
  await expect(imagePart(disk, 1)).rejects.toThrow(/partition 1 .*\(0: 1024 KiB\)/);
});

test("an overlay that doesn't fit fails before anything is written, with the sizes", async () => {
  const image = makeImage("2M", {}, "-O", "^has_journal");
  const before = readFileSync(image);
  const overlay = tree("overlay", { big: "x".repeat(3_000_000) });
  await expect(add(image, overlay, "/lava-1")).rejects.toMatchObject({
    type: "Job",
    message: expect.stringMatching(
      /too small: the overlay needs .* of 29\d\d KiB, 1\d\d\d KiB .* free/,
    ),
  });
  expect(readFileSync(image).equals(before)).toBe(true);
});

test("what isn't ext4 is refused with what it is", async () => {
  const image = path.join(dir, "x.img");
  const overlay = tree("overlay", { a: "b" });
  writeFileSync(image, Buffer.alloc(100_000));
  await expect(add(image, overlay, "/x")).rejects.toThrow(/expected an ext2.* found none/);
  writeFileSync(image, Buffer.concat([Buffer.from("QFI\xfb", "latin1"), Buffer.alloc(100_000)]));
  await expect(add(image, overlay, "/x")).rejects.toThrow(/found a qcow2 image/);
});

test("a file system that was mounted when the image was taken is repaired before it is changed", async () => {
  const image = makeImage("8M", {});
  tool("debugfs", "-w", "-R", "feature +needs_recovery", image);
  const { cat } = await add(image, tree("overlay", { a: "b" }), "/lava-1");
  expect(cat("/lava-1/a")).toBe("b");
});
