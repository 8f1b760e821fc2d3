import { createHash } from "node:crypto";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { cacheKey } from "../../worker/cache/cache-folder.ts";
import { cleanCache, describeCache } from "../../worker/cache/show-cache.ts";
import { downloadCache } from "../../worker/cache/cache-settings.ts";
import { download, probeDownload, type Download } from "../../worker/host/download.ts";
import { type FileServer, fileServer } from "../support/file-server.ts";

const dir = mkdtempSync(path.join(tmpdir(), "pumice-cache-"));
const content = Buffer.from("pumice floats\n".repeat(50_000));
const other = Buffer.from("another one..\n".repeat(50_000));
const sum = (bytes: Buffer, algorithm = "sha256"): string =>
  createHash(algorithm).update(bytes).digest("hex");
const target = path.join(dir, "target");
let server: FileServer;
let folder = "";
let notes: string[] = [];
let runs = 0;
beforeAll(async () => {
  server = await fileServer();
});
beforeEach(() => {
  folder = path.join(dir, `cache-${runs++}`);
  server.files = { "/a": { bytes: content } };
  server.seen.length = 0;
  notes = [];
});
afterAll(async () => {
  await server.close();
  rmSync(dir, { recursive: true });
});

const limitBytes = 100_000_000;
const fetched = async (where: string, more: Partial<Download> = {}): Promise<Buffer> => {
  const cache = { folder, limitBytes, reserveBytes: 0 };
  const url = `${server.base}${where}`;
  const onNote = (text: string): void => void notes.push(text);
  await download({ url, target, backoffMs: 1, cache, onNote, ...more });
  return readFileSync(target);
};
const cached = (): string[] => readdirSync(path.join(folder, "files"));
const isPart = (): boolean => existsSync(path.join(folder, "parts", keyOf("/a")));
const keyOf = (where: string, headers = {}): string => cacheKey(server.base + where, headers);

describe("a file that was downloaded before", () => {
  test("is not downloaded again when the server says that it is the same", async () => {
    await fetched("/a");
    expect((await fetched("/a")).equals(content)).toBe(true);
    expect(server.seen).toEqual(["GET /a 200", "GET /a 304"]);
    expect(notes).toEqual([
      `unchanged since it was cached: ${content.length} bytes, sha256 ${sum(content)}`,
    ]);
  });

  test("is downloaded again when it has changed", async () => {
    await fetched("/a");
    server.files["/a"] = { bytes: other };
    expect((await fetched("/a")).equals(other)).toBe(true);
    expect((await fetched("/a")).equals(other)).toBe(true);
    expect(server.seen).toEqual(["GET /a 200", "GET /a 200", "GET /a 304"]);
  });

  test.each(["md5", "sha256", "sha512"])("is asked for of nobody with its %s", async (name) => {
    const checksums = { [name]: ` ${sum(content, name).toUpperCase()}` };
    const cache = { folder, limitBytes };
    await fetched("/a", { checksums });
    server.seen.length = 0;
    await probeDownload({ url: `${server.base}/a`, checksums, cache });
    expect((await fetched("/a", { checksums })).equals(content)).toBe(true);
    expect(server.seen).toEqual([]);
  });

  test("is the same under another URL, by its checksum", async () => {
    await fetched("/a");
    const bytes = await fetched("/not-there", { checksums: { sha256: sum(content) } });
    expect(bytes.equals(content)).toBe(true);
    expect(server.seen).toEqual(["GET /a 200"]);
  });

  test("is decompressed for each job, and the job's own to change", async () => {
    server.files["/a"] = { bytes: gzipSync(content) };
    expect((await fetched("/a", { compression: "gz" })).equals(content)).toBe(true);
    writeFileSync(target, "changed");
    expect((await fetched("/a", { compression: "gz" })).equals(content)).toBe(true);
    expect((await fetched("/a")).equals(gzipSync(content))).toBe(true);
    expect(server.seen).toEqual(["GET /a 200", "GET /a 304", "GET /a 304"]);
  });

  test("is of no use to a job that names another checksum: the server is asked before the job is blamed", async () => {
    await fetched("/a");
    await expect(fetched("/a", { checksums: { sha256: sum(other) } })).rejects.toMatchObject({
      type: "Job",
      message: expect.stringContaining("does not match") as string,
    });
    server.files["/a"] = { bytes: other, etag: '"wrong"' };
    await fetched("/a");
    // A server that says the same of other bytes.
    server.files["/a"] = { bytes: content, etag: '"wrong"' };
    const bytes = await fetched("/a", { checksums: { sha256: sum(content) } });
    expect(bytes.equals(content)).toBe(true);
  });

  test.each([
    ["was damaged", (file: string) => writeFileSync(file, other)],
    ["was cut", (file: string) => writeFileSync(file, content.subarray(0, 100))],
    ["has gone", (file: string) => rmSync(file)],
  ])("is downloaded again when it %s", async (_, damage) => {
    await fetched("/a");
    damage(path.join(folder, "files", sum(content)));
    expect((await fetched("/a")).equals(content)).toBe(true);
    server.seen.length = 0;
    expect((await fetched("/a")).equals(content)).toBe(true);
    expect(server.seen).toEqual(["GET /a 304"]);
  });

  test("and was compressed is downloaded again when it was damaged", async () => {
    server.files["/a"] = { bytes: gzipSync(content) };
    await fetched("/a", { compression: "gz" });
    const file = path.join(folder, "files", sum(gzipSync(content)));
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.fill(0, 100, 200));
    expect((await fetched("/a", { compression: "gz" })).equals(content)).toBe(true);
  });

  test("is downloaded again when what is known of it was damaged", async () => {
    await fetched("/a");
    writeFileSync(path.join(folder, "entries", `${keyOf("/a")}.json`), '{"sums":{"sha');
    expect((await fetched("/a")).equals(content)).toBe(true);
  });
});

describe("a download that ended early", () => {
  test("goes on where it was when the connection breaks", async () => {
    server.files["/a"] = { bytes: content, breakAfter: 300_000 };
    expect((await fetched("/a")).equals(content)).toBe(true);
    expect(server.seen.length).toBeGreaterThan(2);
    for (const line of server.seen.slice(1)) expect(line).toMatch(/^GET \/a 206 [1-9]\d+-$/);
    expect(isPart()).toBe(false);
  });

  test("goes on in the next job, when it was aborted", async () => {
    server.files["/a"] = { bytes: content, holdAfter: 300_000 };
    const stop = new AbortController();
    const aborted = fetched("/a", {
      signal: stop.signal,
      onProgress: (received) => received === 300_000 && stop.abort(new Error("time-out")),
    });
    await expect(aborted).rejects.toThrow("time-out");
    server.files["/a"] = { bytes: content };
    expect((await fetched("/a")).equals(content)).toBe(true);
    expect(server.seen).toEqual(["GET /a 200", "GET /a 206 300000-"]);
    expect(notes).toContain(`going on at 300000 of ${content.length} bytes`);
  });

  test("begins again when the file has changed meanwhile", async () => {
    await aborted();
    server.files["/a"] = { bytes: other };
    expect((await fetched("/a")).equals(other)).toBe(true);
    expect(server.seen).toEqual(["GET /a 200", "GET /a 200"]);
  });

  test("begins again when what is here is not what the sum says", async () => {
    await aborted();
    writeFileSync(path.join(folder, "parts", keyOf("/a")), Buffer.alloc(300_000));
    const bytes = await fetched("/a", { checksums: { sha256: sum(content) } });
    expect(bytes.equals(content)).toBe(true);
    expect(server.seen).toEqual(["GET /a 200", "GET /a 206 300000-", "GET /a 200"]);
  });

  test("is trusted after a power cut only as far as it had reached the disk", async () => {
    await aborted();
    const file = path.join(folder, "parts", `${keyOf("/a")}.json`);
    const info = JSON.parse(readFileSync(file, "utf8")) as object;
    writeFileSync(file, JSON.stringify({ ...info, boot: "an earlier one", syncedBytes: 1000 }));
    expect((await fetched("/a")).equals(content)).toBe(true);
    expect(server.seen).toEqual(["GET /a 200", "GET /a 206 1000-"]);
  });

  test.each([[{ etag: "" }], [{ etag: 'W/"weak"' }]])(
    "begins again without a strong tag: %o",
    async (more) => {
      await aborted(more);
      expect(isPart()).toBe(false);
      server.files["/a"] = { bytes: content, ...more };
      await fetched("/a");
      expect(server.seen).toEqual(["GET /a 200", "GET /a 200"]);
    },
  );

  async function aborted(more: { etag?: string } = {}): Promise<void> {
    server.files["/a"] = { bytes: content, holdAfter: 300_000, ...more };
    const stop = new AbortController();
    const onProgress = (at: number): void => void (at === 300_000 && stop.abort(new Error("stop")));
    await expect(fetched("/a", { signal: stop.signal, onProgress })).rejects.toThrow("stop");
    server.files["/a"] = { bytes: content };
  }
});

describe("what a server or a job does not want to be kept", () => {
  test.each([
    ["no-store", { "cache-control": "no-cache, no-store" }],
    ["private", { "cache-control": "private" }],
    ["vary by everything", { vary: "*" }],
  ])("is not kept: %s", async (_, headers) => {
    server.files["/a"] = { bytes: content, headers };
    await fetched("/a");
    await fetched("/a");
    expect(server.seen).toEqual(["GET /a 200", "GET /a 200"]);
    expect(cached).toThrow("ENOENT");
  });

  test("is not kept when nothing tells it from another", async () => {
    server.files["/a"] = { bytes: content, etag: "" };
    await fetched("/a");
    expect(cached).toThrow("ENOENT");
    await fetched("/a", { checksums: { sha256: sum(content) } });
    expect(cached()).toEqual([sum(content)]);
  });

  test("is kept for those who have the same headers, private or not", async () => {
    const needs: [string, string] = ["authorization", "Bearer secret"];
    server.files["/a"] = { bytes: content, needs, headers: { "cache-control": "private" } };
    const headers = { Authorization: "Bearer secret" };
    await fetched("/a", { headers });
    await fetched("/a", { headers: { authorization: "Bearer secret" } });
    expect(server.seen).toEqual(["GET /a 200", "GET /a 304"]);
    const checksums = { sha256: sum(content) };
    await expect(fetched("/a", { checksums })).rejects.toThrow("404");
    await expect(fetched("/b", { checksums })).rejects.toThrow("404");
    const others = { authorization: "Bearer other" };
    await expect(fetched("/a", { headers: others, checksums })).rejects.toThrow("404");
  });

  test("is for its owner's eyes, and its secrets are nowhere", async () => {
    const needs: [string, string] = ["authorization", "Bearer secret"];
    server.files["/a?key=hidden"] = { bytes: content, needs };
    await fetched("/a?key=hidden", { headers: { authorization: "Bearer secret" } });
    for (const name of readdirSync(folder, { recursive: true }) as string[]) {
      const file = path.join(folder, name);
      expect(statSync(file).mode & 0o077).toBe(0);
      if (statSync(file).isFile()) expect(readFileSync(file, "utf8")).not.toMatch(/secret|hidden/);
    }
  });

  test("is a part of a file", async () => {
    await fetched("/a", { headers: { "If-None-Match": '"mine"' } });
    expect(existsSync(folder)).toBe(false);
  });
});

describe("the size of the cache", () => {
  const small = { limitBytes: 2 * content.length, reserveBytes: 0 };
  const use = (where: string, more: object = small) =>
    fetched(where, { cache: { folder, limitBytes, ...more } });
  const usedAt = (where: string, seconds: number): void =>
    utimesSync(path.join(folder, "entries", `${keyOf(where)}.json`), seconds, seconds);
  beforeEach(() => {
    for (const name of ["b", "c"])
      server.files[`/${name}`] = { bytes: Buffer.from(other.fill(name)) };
  });

  test("has a limit: what was used longest ago goes", async () => {
    await use("/a");
    await use("/b");
    usedAt("/a", 1000);
    usedAt("/b", 2000);
    await use("/a");
    await use("/c");
    server.seen.length = 0;
    for (const name of ["/a", "/c", "/b"]) await use(name);
    expect(server.seen).toEqual(["GET /a 304", "GET /c 304", "GET /b 200"]);
    expect(cached()).toHaveLength(2);
  });

  test("is not exceeded by a file that is larger than all of it", async () => {
    await use("/a", { limitBytes: content.length - 1, reserveBytes: 0 });
    expect(cached).toThrow("ENOENT");
    expect(readFileSync(target).equals(content)).toBe(true);
  });

  test("shrinks when the disk is nearly full", async () => {
    await use("/a");
    await use("/b", { reserveBytes: 2 ** 60 });
    expect(cached()).toEqual([]);
  });

  test("is nothing when a job's own files fill the disk", async () => {
    await use("/a");
    const full = path.join(dir, "full");
    symlinkSync("/dev/full", full);
    await expect(fetched("/b", { target: full })).rejects.toMatchObject({
      type: "Infrastructure",
      message: expect.stringContaining("the worker's disk is full") as string,
    });
    expect(cached()).toEqual([]);
  });

  test("counts the same bytes under two URLs once", async () => {
    server.files["/copy"] = { bytes: content };
    await use("/a");
    await use("/copy");
    await use("/b");
    expect(cached()).toHaveLength(2);
    usedAt("/a", 1000);
    usedAt("/b", 2000);
    await use("/c");
    expect(cached()).toContain(sum(content));
  });

  test("is a setting of the environment, of the worker, or by the disk; 0 is off", () => {
    const limit = (settings: object, env: object): number | undefined =>
      downloadCache(folder, { ...settings }, { ...env })?.limitBytes;
    expect(limit({ cache_mb: 7 }, { PUMICE_CACHE_MB: "5" })).toBe(5_000_000);
    expect(limit({ cache_mb: 7 }, {})).toBe(7_000_000);
    expect(limit({ cache_mb: 7 }, { PUMICE_CACHE_MB: "0" })).toBe(undefined);
    expect(limit({ cache_mb: 0 }, {})).toBe(undefined);
    expect(limit({}, { PUMICE_CACHE_MB: "much" })).toBeGreaterThan(1_000_000);
  });

  test("is shown with what there is, and may be made nothing", async () => {
    server.files["/x?key=hidden"] = { bytes: content };
    await use("/x?key=hidden");
    await use("/b");
    expect(describeCache(folder, 5_000_000, false)).toContain(`${server.base}/x?...\n`);
    expect(describeCache(folder, 5_000_000, false)).toContain("2 files, 1.4 MB of 5.0 MB");
    const [first = ""] = describeCache(folder, 5_000_000, true).split("\n");
    expect(JSON.parse(first)).toMatchObject({ url: `${server.base}/b`, size: content.length });
    expect(cleanCache(folder)).toEqual({ removed: 2, bytes: 2 * content.length });
    expect(cached()).toEqual([]);
  });
});
