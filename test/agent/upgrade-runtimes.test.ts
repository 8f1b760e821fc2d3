import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = path.resolve(import.meta.dirname, "../..");
const RUNTIMES = {
  "Node.js 20": path.join(root, "node_modules/node20-linux-x64/bin/node"),
  Bun: path.join(root, "node_modules/@oven/bun-linux-x64/bin/bun"),
};
const dir = mkdtempSync(path.join(tmpdir(), "pumice-upgrade-runtimes-"));
const program = path.join(dir, "program.mjs");
beforeAll(async () => {
  await build({
    entryPoints: [fileURLToPath(new URL("../support/upgrade-program.ts", import.meta.url))],
    outfile: program,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
  });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test.each(Object.entries(RUNTIMES))(
  "under %s an upgrade meets each fault as it should",
  async (name, runtime) => {
    if (!existsSync(runtime)) return console.warn(`skipped: ${name} is not at ${runtime}`);
    const { stdout } = await promisify(execFile)(runtime, [program]);
    expect(stdout.trim().split("\n")).toEqual([
      expect.stringMatching(/^cut: Error: /),
      "ended: Error: the download ended after N of N bytes",
      "stalled: Error: nothing came for 0.3 s",
      "link: LinkExpired: the link to the file is not good (403)",
      "rest: done",
      "unpack: done",
      expect.stringMatching(/^another version: UpgradeRefused: the new file does not run here/),
      "another file: UpgradeRefused: the file is not the one that the signed manifest names",
      expect.stringMatching(/^cut gzip: UpgradeRefused: the file can't be unpacked/),
      expect.stringMatching(/^no gzip: UpgradeRefused: the file can't be unpacked/),
      "stopped: Error: not wanted",
    ]);
  },
);
