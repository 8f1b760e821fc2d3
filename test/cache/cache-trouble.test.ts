import { createHash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { download } from "../../worker/host/download.ts";
import { type FileServer, fileServer } from "../support/file-server.ts";

const content = Buffer.from("pumice floats\n".repeat(50_000));
const sum = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
let dir: string;
let folder: string;
let server: FileServer;
let notes: string[];
beforeEach(async () => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-cache-trouble-"));
  folder = path.join(dir, "cache");
  notes = [];
  server = await fileServer();
  server.files = { "/a": { bytes: content }, "/b": { bytes: Buffer.from("another") } };
});
afterEach(async () => {
  await server.close();
  rmSync(dir, { recursive: true });
});

async function fetched(where: string): Promise<Buffer> {
  const target = path.join(dir, "target");
  const cache = { folder, limitBytes: 100_000_000, reserveBytes: 0 };
  const onNote = (text: string): void => void notes.push(text);
  await download({ url: server.base + where, target, backoffMs: 1, cache, onNote });
  return readFileSync(target);
}

test.each(["locks", "entries", "parts", "files"])(
  "a cache that can't be used is as none: %s",
  async (name) => {
    await fetched("/a");
    rmSync(path.join(folder, name), { recursive: true, force: true });
    writeFileSync(path.join(folder, name), "no folder");
    expect((await fetched("/b")).toString()).toBe("another");
    expect((await fetched("/a")).equals(content)).toBe(true);
  },
);

test("a cached file that the disk doesn't give back is downloaded again", async () => {
  const bytes = Buffer.alloc(0);
  server.files["/a"] = { bytes };
  await fetched("/a");
  const file = path.join(folder, "files", sum(bytes));
  rmSync(file);
  // A file of no bytes, of which each read is an EIO.
  symlinkSync("/proc/self/mem", file);
  expect((await fetched("/a")).equals(bytes)).toBe(true);
  expect(notes).toContain("the cached file is forgotten, and downloaded again");
});

test("no more files are kept than can be looked at in a moment, however small", async () => {
  const entries = path.join(folder, "entries");
  mkdirSync(entries, { recursive: true });
  for (let n = 0; n < 2100; n++) {
    const file = path.join(entries, `${sum(Buffer.from(String(n)))}.json`);
    const sums = { sha256: sum(Buffer.from(`bytes ${n}`)) };
    writeFileSync(file, JSON.stringify({ sums, sizeBytes: 1 }));
    utimesSync(file, n + 1, n + 1);
  }
  await fetched("/a");
  const left = readdirSync(entries);
  expect(left.length).toBeLessThanOrEqual(2000);
  expect(left.length).toBeGreaterThan(1990);
  expect(left).toContain(`${sum(Buffer.from("2099"))}.json`);
  expect(left).not.toContain(`${sum(Buffer.from("0"))}.json`);
});
