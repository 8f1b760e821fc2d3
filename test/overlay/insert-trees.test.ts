import { execFileSync } from "node:child_process";
import {
  cpSync,
  linkSync,
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
import { insertTrees } from "../../worker/overlay/insert-trees.ts";

const { signal } = new AbortController();
let dir = "";
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-insert-"));
  mkdirSync(path.join(dir, "root/usr/lib"), { recursive: true });
  symlinkSync("usr/lib", path.join(dir, "root/lib"));
  writeFileSync(path.join(dir, "root/usr/lib/old"), "old");
  mkdirSync(path.join(dir, "overlay/lib/modules"), { recursive: true });
  mkdirSync(path.join(dir, "overlay/lava-1/bin"), { recursive: true });
  writeFileSync(path.join(dir, "overlay/lib/modules/a.ko"), "module");
  writeFileSync(path.join(dir, "overlay/lava-1/bin/run"), "run", { mode: 0o755 });
});
afterEach(() => rmSync(dir, { recursive: true }));
const at = (name: string): string => path.join(dir, name);
const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, {
    cwd: dir,
    encoding: "utf8",
    env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` },
    stdio: ["pipe", "pipe", "ignore"],
  });

test.each([["."], ["usr", "lib"]])(
  "a tar archive gets the files at its end, and its folders and links stay (%#)",
  async (...members) => {
    run("tar", "-C", "root", "-cf", "image.tar", ...members);
    await insertTrees(at("image.tar"), { format: "tar" }, [at("overlay")], signal);
    mkdirSync(at("out"));
    run("tar", "-C", "out", "-xf", "image.tar");
    expect(readFileSync(at("out/usr/lib/modules/a.ko"), "utf8")).toBe("module");
    expect(readFileSync(at("out/lib/old"), "utf8")).toBe("old");
    expect(run("tar", "-tvf", "image.tar")).toMatch(/-rwxr-xr-x 0\/0 .*lava-1\/bin\/run/);
  },
);

test("a compressed archive that says it is tar is refused", async () => {
  run("tar", "-C", "root", "-czf", "image.tar", ".");
  await expect(
    insertTrees(at("image.tar"), { format: "tar" }, [at("overlay")], signal),
  ).rejects.toMatchObject({ type: "Job", message: expect.stringContaining("without compression") });
});

test("a sparse image is one again, and simg2img reads the files out of it", async () => {
  run("mke2fs", "-q", "-F", "-t", "ext4", "-d", "root", "raw", "16M");
  run("img2simg", "raw", "image");
  await insertTrees(at("image"), { format: "ext4", isSparse: true }, [at("overlay")], signal);
  run("simg2img", "image", "back");
  expect(run("e2fsck", "-fn", "back")).not.toMatch(/error/i);
  expect(run("debugfs", "-R", "cat /usr/lib/modules/a.ko", "back")).toBe("module");
  expect(run("ls", dir)).not.toMatch(/image\.(raw|new)/);
});

test("an image that other deployments have too is copied before it is changed", async () => {
  run("mke2fs", "-q", "-F", "-t", "ext4", "-d", "root", "shared", "8M");
  cpSync(at("shared"), at("before"));
  linkSync(at("shared"), at("mine"));
  await insertTrees(at("mine"), { format: "ext4" }, [at("overlay")], signal);
  expect(readFileSync(at("shared")).equals(readFileSync(at("before")))).toBe(true);
  expect(run("debugfs", "-R", "cat /lava-1/bin/run", "mine")).toBe("run");
});
