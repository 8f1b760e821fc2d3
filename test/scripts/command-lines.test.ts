import { spawnSync } from "node:child_process";
import path from "node:path";
import { expect, test } from "vitest";

const scripts = path.resolve("scripts");

function run(file: string, ...args: string[]) {
  const hook = ["--import", path.join(scripts, "tsx-hook.mjs")];
  const { status, stderr } = spawnSync(
    process.execPath,
    [...hook, path.join(scripts, file), ...args],
    { encoding: "utf8" },
  );
  return { status, stderr };
}

test.each([
  ["load", "trials/load-main.ts", ["--rate", "fast"], "--rate fast: expected a number, 0 or more"],
  ["load", "trials/load-main.ts", ["ten"], "Unexpected argument 'ten'"],
  ["chaos", "trials/chaos-main.ts", ["--bogus"], "Unknown option '--bogus'"],
])("scripts/%s (%s) %j ends with 2, and says why and where more is", (name, file, args, why) => {
  const { status, stderr } = run(file, ...args);
  expect(stderr).toContain(`scripts/${name}: ${why}`);
  expect(stderr).toContain(`scripts/${name} --help says more`);
  expect(stderr).not.toContain("    at ");
  expect(status).toBe(2);
});
