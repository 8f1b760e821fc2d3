import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { mountsIn, removeTree } from "../../worker/host/remove-tree.ts";

let dir: string;
beforeEach(() => void (dir = mkdtempSync(path.join(tmpdir(), "pumice-remove-"))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));
const at = (name: string): string => path.join(dir, name);

test("a folder goes with all that is in it, and what a link leads to stays", async () => {
  mkdirSync(at("job/a/b"), { recursive: true });
  mkdirSync(at("kept"));
  writeFileSync(at("kept/file"), "");
  symlinkSync(at("kept"), at("job/link"));
  await removeTree(at("job"));
  expect(existsSync(at("job"))).toBe(false);
  expect(existsSync(at("kept/file"))).toBe(true);
  await removeTree(at("job"));
});

/** Binds a folder to another one; only root may, and not in every container. */
function bind(source: string, target: string): boolean {
  try {
    execFileSync("mount", ["--bind", source, target], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

test("what is mounted in it keeps its files", async ({ skip }) => {
  mkdirSync(at("job/a disk"), { recursive: true });
  mkdirSync(at("board"));
  writeFileSync(at("board/firmware"), "");
  skip(!bind(at("board"), at("job/a disk")), "this machine can't mount");
  expect(mountsIn(at("job"))).toEqual([at("job/a disk")]);
  await removeTree(at("job"));
  expect(existsSync(at("job"))).toBe(false);
  expect(existsSync(at("board/firmware"))).toBe(true);
});
