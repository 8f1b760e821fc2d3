import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { newPrivateFile } from "../../control-plane/cli/private-file.ts";

let dir: string;
beforeEach(() => void (dir = mkdtempSync(path.join(tmpdir(), "pumice-private-"))));
afterEach(() => rmSync(dir, { recursive: true }));

test("keeps what was there until the new text is whole, and is its owner's only", () => {
  const file = path.join(dir, "token");
  writeFileSync(file, "old", { mode: 0o644 });
  const fresh = newPrivateFile(file);
  expect(readFileSync(file, "utf8")).toBe("old");
  fresh.write("new");
  expect(readFileSync(file, "utf8")).toBe("new");
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

// As root it would be gone for every program of the machine.
test("what is no file is written to and stays what it is", () => {
  const file = path.join(dir, "nowhere");
  symlinkSync("/dev/null", file);
  const fresh = newPrivateFile(file);
  fresh.write("said");
  fresh.discard();
  expect(statSync(file).isCharacterDevice()).toBe(true);
});
