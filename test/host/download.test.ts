import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { download, probeDownload, type Download } from "../../worker/host/download.ts";

const dir = mkdtempSync(path.join(tmpdir(), "pumice-download-"));
const content = Buffer.from("pumice floats\n".repeat(50_000));
const sum = (algorithm: string): string => createHash(algorithm).update(content).digest("hex");

type Answer = (request: http.IncomingMessage, response: http.ServerResponse) => void;
let answers: Record<string, Answer> = {};
let seen: string[] = [];
let headersSeen: http.IncomingHttpHeaders[] = [];
const server = http.createServer((request, response) => {
  seen.push(`${request.method} ${request.url}`);
  headersSeen.push(request.headers);
  const answer = answers[request.url ?? ""];
  if (answer) answer(request, response);
  else response.writeHead(404).end();
});
let base: string;
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => {
  answers = {};
  seen = [];
  headersSeen = [];
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, "close");
  rmSync(dir, { recursive: true });
});

const file =
  (bytes: Buffer): Answer =>
  (_, response) => {
    response.writeHead(200, { "content-length": bytes.length }).end(bytes);
  };
const target = path.join(dir, "target");
const fetched = (where: string, more: Partial<Download> = {}) =>
  download({ url: `${base}${where}`, target, backoffMs: 1, ...more });
const leftovers = (): string[] => readdirSync(dir).filter((name) => name.startsWith("target"));

describe("a download", () => {
  test("is written, counted and summed", async () => {
    answers["/a"] = file(content);
    const progress: [number, number | undefined][] = [];
    const done = await fetched("/a", {
      checksums: { md5: sum("md5"), sha256: sum("sha256").toUpperCase(), sha512: sum("sha512") },
      onProgress: (...now) => progress.push(now),
    });
    expect(done).toEqual({ sizeBytes: content.length, sha256: sum("sha256") });
    expect(readFileSync(target).equals(content)).toBe(true);
    expect(progress.at(-1)).toEqual([content.length, content.length]);
    expect(headersSeen[0]?.["accept-encoding"]).toBe("identity");
  });

  test.each(["md5", "sha256", "sha512"] as const)(
    "with another %s is refused and removed",
    async (algorithm) => {
      answers["/a"] = file(content);
      await expect(fetched("/a", { checksums: { [algorithm]: "00" } })).rejects.toMatchObject({
        type: "Job",
        message: expect.stringContaining(`${algorithm} for '${base}/a' does not match.`) as string,
      });
      expect(leftovers()).toEqual([]);
    },
  );

  test("that breaks off is the source's fault", async () => {
    const bytes = gzipSync(content);
    answers["/a"] = (_, response) => {
      response.writeHead(200, { "content-length": bytes.length });
      response.write(bytes.subarray(0, 500), () => response.destroy());
    };
    await expect(fetched("/a")).rejects.toMatchObject({ type: "Infrastructure" });
    await expect(fetched("/a", { compression: "gz" })).rejects.toMatchObject({
      type: "Infrastructure",
    });
    expect(leftovers()).toEqual([]);
  });

  test("ends at once when it is aborted", async () => {
    const stop = new AbortController();
    answers["/slow"] = (_, response) => {
      response.writeHead(200);
      response.write("first");
    };
    const reason = new Error("the job was canceled");
    const slow = fetched("/slow", { signal: stop.signal, onProgress: () => stop.abort(reason) });
    await expect(slow).rejects.toBe(reason);
    expect(leftovers()).toEqual([]);
  });

  test("is asked for again while the server says later", async () => {
    let times = 0;
    answers["/a"] = (request, response) => {
      if (times++ < 3) response.writeHead([503, 429, 500][times - 1] ?? 500).end();
      else file(content)(request, response);
    };
    expect((await fetched("/a")).sizeBytes).toBe(content.length);
    expect(seen).toEqual(Array.from({ length: 4 }, () => "GET /a"));
  });

  test("is given up after LAVA's number of tries", async () => {
    answers["/a"] = (_, response) => response.writeHead(503).end();
    const stop = new AbortController();
    await expect(fetched("/a", { backoffMs: 0, signal: stop.signal })).rejects.toMatchObject({
      type: "Infrastructure",
      message: `Unable to download '${base}/a': 503`,
    });
    expect(seen).toHaveLength(16);
  });

  test("follows redirects, and keeps the job's headers for the host it named", async () => {
    answers["/from"] = (_, response) => response.writeHead(302, { location: "/to" }).end();
    answers["/to"] = (_, response) => {
      response.writeHead(307, { location: `http://localhost:${new URL(base).port}/end` }).end();
    };
    answers["/end"] = file(content);
    await fetched("/from", { headers: { "x-token": "secret" } });
    expect(headersSeen.map((headers) => headers["x-token"])).toEqual([
      "secret",
      "secret",
      undefined,
    ]);
  });

  test.each([
    ["in circles", "/a"],
    ["to another scheme", "file:///etc/passwd"],
  ])("does not follow redirects %s", async (_, location) => {
    answers["/a"] = (_request, response) => response.writeHead(301, { location }).end();
    await expect(fetched("/a")).rejects.toMatchObject({ type: "Infrastructure" });
    expect(seen.length).toBeLessThan(15);
  });

  test("from nobody says so", async () => {
    const url = "http://127.0.0.1:1/x";
    await expect(download({ url, target, backoffMs: 0 })).rejects.toMatchObject({
      type: "Infrastructure",
      message: expect.stringContaining(url) as string,
    });
  });
});

describe("what a download is compressed with", () => {
  const tool = (name: string): Buffer => execFileSync(name, ["-c"], { input: content });
  const zip = (...names: string[]): Buffer => {
    const folder = mkdtempSync(path.join(dir, "zip-"));
    for (const name of names) writeFileSync(path.join(folder, name), content);
    execFileSync("zip", ["-q", "a.zip", ...names], { cwd: folder });
    return readFileSync(path.join(folder, "a.zip"));
  };
  const packed = {
    gz: () => gzipSync(content),
    bz2: () => tool("bzip2"),
    xz: () => tool("xz"),
    zstd: () => tool("zstd"),
    zip: () => zip("only file"),
  };
  const kinds = Object.keys(packed) as (keyof typeof packed)[];

  test.each(kinds)("is undone on the way: %s", async (compression) => {
    const bytes = packed[compression]();
    answers["/a"] = file(bytes);
    const done = await fetched("/a", { compression });
    expect(done.sizeBytes).toBe(bytes.length);
    expect(readFileSync(target).equals(content)).toBe(true);
    expect(leftovers()).toEqual(["target"]);
  });

  test.each(kinds)("is the job's mistake when it is something else: %s", async (compression) => {
    answers["/a"] = file(content);
    await expect(fetched("/a", { compression })).rejects.toMatchObject({
      type: "Job",
      message: expect.stringContaining(compression) as string,
    });
    expect(leftovers()).toEqual([]);
  });

  test.each(kinds)("is the job's mistake when it ends too early: %s", async (compression) => {
    answers["/a"] = file(packed[compression]().subarray(0, -200));
    await expect(fetched("/a", { compression })).rejects.toMatchObject({ type: "Job" });
    expect(leftovers()).toEqual([]);
  });

  test.each(["gz", "bz2", "xz", "zstd"] as const)(
    "is not to blame for a full disk: %s",
    async (compression) => {
      answers["/a"] = file(packed[compression]());
      symlinkSync("/dev/full", target);
      await expect(fetched("/a", { compression })).rejects.toMatchObject({
        type: "Infrastructure",
        message: expect.stringContaining("the worker's disk is full") as string,
      });
      expect(leftovers()).toEqual([]);
    },
  );

  test("has to be one file in a zip archive", async () => {
    answers["/a"] = file(zip("one", "two"));
    await expect(fetched("/a", { compression: "zip" })).rejects.toMatchObject({
      type: "Job",
      message: "compression zip: expected an archive with one file, found 2: 'one', 'two'",
    });
  });
});

describe("a file of the worker", () => {
  test("is copied and summed", async () => {
    const source = path.join(dir, "source %41?#.gz");
    writeFileSync(source, gzipSync(content));
    await download({ url: `file://${source}`, target, compression: "gz" });
    expect(readFileSync(target).equals(content)).toBe(true);
  });

  test.each(["/nonexistent/file", "/tmp", "/dev/zero", "relative"])(
    "is refused: %s",
    async (name) => {
      const url = `file://${name}`;
      await expect(probeDownload({ url })).rejects.toMatchObject({ type: "Job" });
      await expect(download({ url, target })).rejects.toMatchObject({
        type: "Job",
        message: expect.stringContaining(url) as string,
      });
      expect(existsSync(target)).toBe(false);
    },
  );
});

describe("looking before the download", () => {
  test("asks by HEAD, and by GET where the server has no HEAD", async () => {
    answers["/head"] = (request, response) =>
      response.writeHead(request.method === "HEAD" ? 200 : 500).end();
    answers["/get"] = (request, response) =>
      response.writeHead(request.method === "HEAD" ? 405 : 200).end();
    await probeDownload({ url: `${base}/head` });
    await probeDownload({ url: `${base}/get` });
    expect(seen).toEqual(["HEAD /head", "HEAD /get", "GET /get"]);
  });

  test("says what isn't there", async () => {
    await expect(probeDownload({ url: `${base}/none` })).rejects.toMatchObject({
      type: "Job",
      message: `Resource unavailable at '${base}/none' (404)`,
    });
  });
});
