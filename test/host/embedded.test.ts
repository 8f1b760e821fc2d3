import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { brotliCompressSync } from "node:zlib";
import { expect, test } from "vitest";
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

test("An addon is loaded after one that this machine can't use, and leaves no file", () => {
  const before = leftovers();
  const loaded = loadEmbeddedAddon([
    ["none", "x"],
    [process.arch, packed(Buffer.from("made for another library"))],
    [process.arch, addon(`linux-${process.arch}/${ours}`)],
  ]);
  expect(loaded).toMatchObject({ open: expect.any(Function), close: expect.any(Function) });
  expect(leftovers()).toEqual(before);
});

test("Without an addon for this machine the message says which is missing", () => {
  expect(() => loadEmbeddedAddon([["none", "x"]])).toThrow(
    `no native serial port for ${process.arch} is in this program`,
  );
});

test("Texts come out as they went in", () => {
  const texts: [string, string][] = [["a.jinja2", "{% set b = 'ü' %}\n"]];
  expect([...unpackTexts(packed(Buffer.from(JSON.stringify(texts))))]).toEqual(texts);
});

const leftovers = (): string[] =>
  readdirSync(tmpdir()).filter((name) => /^pumice-\w{6}$/.test(name));
