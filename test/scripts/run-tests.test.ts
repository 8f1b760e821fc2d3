import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const root = path.resolve(import.meta.dirname, "../..");
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-run-tests-"));
  symlinkSync(path.join(root, "node_modules"), path.join(folder, "node_modules"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The last lines of a run over these files, and its status. */
async function runOver(files: Record<string, string>) {
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(path.join(folder, name), `import { expect, test } from "vitest";\n${text}`);
  }
  const config = `export default { root: ${JSON.stringify(folder)}, test: { projects: [{ test: { name: "some", include: ["*.test.ts"] } }] } };`;
  writeFileSync(path.join(folder, "config.mjs"), config);
  const bin = path.join(root, "node_modules/.bin");
  const env = { PATH: `${path.dirname(process.execPath)}:${bin}:${process.env["PATH"]}` };
  const args = [path.join(root, "scripts/run-tests.mjs"), "--config", "config.mjs", "some"];
  return new Promise<{ lines: string[]; status: unknown }>((resolve) => {
    execFile(process.execPath, args, { cwd: folder, env }, (error, stdout) => {
      const lines = stdout.trimEnd().split("\n");
      resolve({
        lines: lines.filter((line) => /^[A-Z]{6}|passed, /.test(line)),
        status: error?.code ?? 0,
      });
    });
  });
}

const FAILS_ONCE = `import { existsSync, writeFileSync } from "node:fs";
const isSecond = existsSync("tried");
writeFileSync("tried", "");
test("needs luck", () => expect(isSecond).toBe(true));
`;

test("all is well: the last line counts it", async () => {
  const { lines, status } = await runOver({
    "a.test.ts": `test("a", () => {});`,
  });
  expect(lines).toEqual(["1 passed, 0 failed"]);
  expect(status).toBe(0);
});

test("what is skipped says why, where it is skipped, in what that imports, or to vitest; else the run fails", async () => {
  const said = await runOver({
    "helper.ts": `export function has() { console.warn("skipped: no board"); return false; }`,
    "a.test.ts": `console.warn("skipped: no disk"); test.skip("a", () => {});`,
    "b.test.ts": `import { has } from "./helper.ts"; test.skipIf(!has())("b", () => {});`,
    "c.test.ts": `test("c", ({ skip }) => skip("no network"));`,
  });
  expect(said).toEqual({ lines: ["0 passed, 0 failed, 3 skipped"], status: 0 });
  const silent = await runOver({ "d.test.ts": `test.skip("nobody knows", () => {});` });
  expect(silent).toEqual({
    lines: ["FAILED: some: outside of its tests", "0 passed, 1 failed, 4 skipped"],
    status: 1,
  });
});

test("a file that failed is tried again alone, and is called unsteady when it passes then", async () => {
  const { lines, status } = await runOver({
    "a.test.ts": FAILS_ONCE,
    "b.test.ts": `test("b", () => {});`,
  });
  expect(lines).toEqual([
    "UNSTEADY, passed when it was tried again alone: some: a.test.ts: needs luck",
    "2 passed, 0 failed",
  ]);
  expect(status).toBe(0);
});

test("what fails twice, can't be loaded or goes wrong outside of the tests fails the run, each by its name", async () => {
  const { lines, status } = await runOver({
    "a.test.ts": `test("is bad", () => expect(1).toBe(2)); test("is good", () => {});`,
    "b.test.ts": `import "./nothing.ts"; test("b", () => {});`,
    "c.test.ts": `test("c", () => void Promise.reject(new Error("too late")));`,
  });
  expect(lines).toEqual([
    "FAILED: some: a.test.ts: is bad",
    "FAILED: some: b.test.ts: outside of its tests",
    "FAILED: some: outside of its tests",
    "2 passed, 3 failed",
  ]);
  expect(status).toBe(1);
});
