import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { isLocked, tryLock } from "../../worker/cache/key-lock.ts";
import { downloadProgram } from "../support/download-program.ts";
import { type FileServer, fileServer } from "../support/file-server.ts";

const dir = mkdtempSync(path.join(tmpdir(), "pumice-cache-"));
const content = Buffer.alloc(3_000_000, "pumice floats\n");
const sha256 = createHash("sha256").update(content).digest("hex");
let server: FileServer;
let program: Awaited<ReturnType<typeof downloadProgram>>;
let folder = "";
let runs = 0;
let children: ChildProcess[] = [];
beforeAll(async () => {
  server = await fileServer();
  program = await downloadProgram();
});
beforeEach(() => {
  folder = path.join(dir, `cache-${runs++}`);
  server.files = { "/a": { bytes: content } };
  server.seen.length = 0;
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await server.close();
  program.remove();
  rmSync(dir, { recursive: true });
});

interface Runner {
  readonly child: ChildProcess;
  readonly lines: string[];
  readonly target: string;
  /** Resolves with the first line that has these words. */
  says(words: string): Promise<string>;
  /** Resolves with how it ended. */
  readonly ended: Promise<number | null>;
}

/** Starts a process that downloads /a by the cache, as a job's runner does. */
function runner(more: object = {}): Runner {
  const target = path.join(dir, `target-${children.length}`);
  const cache = { folder, limitBytes: 100_000_000, reserveBytes: 0 };
  const request = { url: `${server.base}/a`, target, cache, ...more };
  const child = spawn(process.execPath, [program.file, JSON.stringify(request)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const lines: string[] = [];
  let heard: (() => void)[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    for (const one of heard) one();
    heard = [];
  });
  const ended = once(child, "close").then(([code]) => code as number | null);
  const says = async (words: string): Promise<string> => {
    for (;;) {
      const found = lines.find((line) => line.includes(words));
      if (found !== undefined) return found;
      await Promise.race([
        new Promise<void>((resolve) => heard.push(resolve)),
        ended.then(() => Promise.reject(new Error(`it ended: ${lines.join("\n")}`))),
      ]);
    }
  };
  return { child, lines, target, says, ended };
}

const isWhole = ({ target }: Runner): boolean => readFileSync(target).equals(content);

test("of several jobs at once one downloads a file, and the others have it from there", async () => {
  server.files["/a"] = { bytes: content, holdAfter: 1_000_000 };
  const first = runner();
  await server.held();
  const others = [runner(), runner(), runner()];
  for (const other of others) await other.says("another job of this worker is downloading");
  await others[0]?.says("at 1000000");
  server.go();
  for (const one of [first, ...others]) expect(await one.ended).toBe(0);
  expect([first, ...others].every(isWhole)).toBe(true);
  expect(server.seen).toEqual(["GET /a 200"]);
  expect(others[0]?.lines).toContain(
    `downloaded by another job just now: ${content.length} bytes, sha256 ${sha256}`,
  );
});

test("a download with which nobody could go on is waited for as well", async () => {
  server.files["/a"] = { bytes: content, etag: "", holdAfter: 1_000_000 };
  const checksums = { sha256 };
  const first = runner({ checksums });
  await first.says("at 1000000");
  const second = runner({ checksums });
  await second.says("at 1000000");
  server.go();
  expect([await first.ended, await second.ended]).toEqual([0, 0]);
  expect(server.seen).toEqual(["GET /a 200"]);
});

test("jobs that begin at the same moment download a file once", async () => {
  const all = Array.from({ length: 4 }, () => runner());
  for (const one of all) expect(await one.ended).toBe(0);
  expect(all.every(isWhole)).toBe(true);
  expect(server.seen.filter((line) => line === "GET /a 200")).toHaveLength(1);
  expect(readdirSync(path.join(folder, "locks"))).toEqual([]);
});

test("a job goes on where another was killed", async () => {
  server.files["/a"] = { bytes: content, holdAfter: 1_000_000 };
  const first = runner();
  await first.says("at 1000000");
  const second = runner();
  await second.says("another job of this worker is downloading");
  server.files["/a"] = { bytes: content };
  first.child.kill("SIGKILL");
  expect(await second.ended).toBe(0);
  expect(isWhole(second)).toBe(true);
  expect(server.seen).toEqual(["GET /a 200", "GET /a 206 1000000-"]);
  expect(readdirSync(path.join(folder, "parts"))).toEqual([]);
});

test("a job waits for no download that gets nowhere", async () => {
  server.files["/a"] = { bytes: content, holdAfter: 1_000_000 };
  const first = runner();
  await first.says("at 1000000");
  first.child.kill("SIGSTOP");
  server.files["/a"] = { bytes: content };
  const second = runner({ stuckMs: 1 });
  expect(await second.ended).toBe(0);
  expect(second.lines).toContain(
    "the other download gets nowhere: downloading it for this job alone",
  );
  expect(isWhole(second)).toBe(true);
});

test("a key is one process's, and a dead one's is free", async () => {
  const locks = path.join(folder, "locks");
  const release = tryLock(locks, "ab");
  expect(release).toBeDefined();
  expect(tryLock(locks, "ab")).toBeUndefined();
  expect(isLocked(locks, "cd")).toBe(false);
  release?.();
  tryLock(locks, "ab")?.();
  expect(readdirSync(locks)).toEqual([]);
});
