import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { brotliCompressSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadEmbeddedAddon, unpackTexts } from "../../worker/host/embedded.ts";

const prebuilds = path.resolve(
  import.meta.dirname,
  "../../node_modules/@serialport/bindings-cpp/prebuilds",
);
const packed = (bytes: Buffer): string => brotliCompressSync(bytes).toString("base64");
const addon = (file: string): string => packed(readFileSync(path.join(prebuilds, file)));
const ours = readdirSync(path.join(prebuilds, `linux-${process.arch}`)).find((name) =>
  name.includes("glibc"),
);

// Others leave and remove files in the usual folder meanwhile.
const before = process.env["TMPDIR"];
beforeEach(() => {
  process.env["TMPDIR"] = mkdtempSync(path.join(tmpdir(), "embedded-test-"));
});
afterEach(() => {
  rmSync(tmpdir(), { recursive: true, force: true });
  process.env["TMPDIR"] = before;
  if (before === undefined) delete process.env["TMPDIR"];
});

test("An addon is loaded after one that this machine can't use, and leaves no file", () => {
  const loaded = loadEmbeddedAddon([
    ["none", "x"],
    [process.arch, packed(Buffer.from("made for another library"))],
    [process.arch, addon(`linux-${process.arch}/${ours}`)],
  ]);
  expect(loaded).toMatchObject({ open: expect.any(Function), close: expect.any(Function) });
  expect(readdirSync(tmpdir())).toEqual([]);
});

test("A folder where nothing can be written is passed over", () => {
  rmSync(tmpdir(), { recursive: true });
  const addons = [[process.arch, addon(`linux-${process.arch}/${ours}`)]] as const;
  expect(loadEmbeddedAddon(addons)).toMatchObject({ open: expect.any(Function) });
});

test.skipIf(process.getuid?.() !== 0)(
  "Where nothing else lets a program be loaded, as in a container, the worker's own folder does",
  () => {
    const own = mkdtempSync(path.join(import.meta.dirname, ".own-"));
    try {
      const module = path.resolve(import.meta.dirname, "../../worker/host/embedded.ts");
      const program = path.join(own, "program.ts");
      const addons = JSON.stringify([[process.arch, addon(`linux-${process.arch}/${ours}`)]]);
      writeFileSync(
        program,
        `import { loadEmbeddedAddon } from ${JSON.stringify(module)};
         console.log(typeof loadEmbeddedAddon(${addons}).open);`,
      );
      const root = path.resolve(import.meta.dirname, "../..");
      // The checkout may be in one of them: it is put back.
      const mount =
        'for at in /tmp /run /dev/shm /var/tmp; do mount -t tmpfs -o noexec none $at; done; mkdir -p "$PWD"; mount -c --bind . "$PWD"';
      const run = (env: object) =>
        spawnSync(
          "unshare",
          ["-m", "sh", "-ec", `${mount}; exec "$@"`, "sh", process.execPath, program],
          {
            cwd: root,
            encoding: "utf8",
            env: { PATH: process.env["PATH"], TMPDIR: "/tmp", ...env },
          },
        );
      expect(run({}).stderr).toContain("failed to map segment from shared object");
      expect(run({ PUMICE_WORK_DIR: own }).stdout).toBe("function\n");
      expect(readdirSync(own)).toEqual(["program.ts"]);
    } finally {
      rmSync(own, { recursive: true });
    }
  },
);

test("Without an addon for this machine the message says which is missing", () => {
  expect(() => loadEmbeddedAddon([["none", "x"]])).toThrow(
    `no native serial port for ${process.arch} is in this program`,
  );
});

test("Texts come out as they went in", () => {
  const texts: [string, string][] = [["a.jinja2", "{% set b = 'ü' %}\n"]];
  expect([...unpackTexts(packed(Buffer.from(JSON.stringify(texts))))]).toEqual(texts);
});
