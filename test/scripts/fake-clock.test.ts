import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { removeLeftClocks } from "../../scripts/trials/fake-clock.ts";

test("what libfaketime had for a program that is no more is removed, of one that lives not, and nothing else", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "pumice-clocks-"));
  const { pid: ended } = spawnSync("true");
  const names = [ended, process.pid].flatMap((pid) => [
    `faketime_shm_${pid}`,
    `sem.faketime_sem_${pid}`,
  ]);
  for (const name of [...names, "PostgreSQL.1"]) writeFileSync(path.join(folder, name), "");
  removeLeftClocks(folder);
  expect(readdirSync(folder).toSorted()).toEqual(["PostgreSQL.1", ...names.slice(2)].toSorted());
  rmSync(folder, { recursive: true });
});
