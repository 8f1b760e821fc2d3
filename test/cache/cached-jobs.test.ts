import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LogRecord } from "#protocol/log-record.ts";
import { jobDirectory, type JobDirectory } from "../../worker/host/job-directory.ts";
import { type FileServer, fileServer } from "../support/file-server.ts";
import { guestDevice } from "../support/stand-in-guest.ts";
import { workerProgram } from "../support/worker-program.ts";

const workDir = mkdtempSync(path.join(tmpdir(), "pumice-cached-jobs-"));
const content = Buffer.alloc(3_000_000, "pumice floats\n");
const sha256 = createHash("sha256").update(content).digest("hex");
let server: FileServer;
let program: Awaited<ReturnType<typeof workerProgram>>;
beforeAll(async () => {
  server = await fileServer();
  server.files = { "/rootfs.img": { bytes: content } };
  program = await workerProgram();
});
afterAll(async () => {
  await server.close();
  program.remove();
  rmSync(workDir, { recursive: true, force: true });
});

interface Job {
  readonly files: JobDirectory;
  /** Resolves with its result. */
  readonly ended: Promise<Record<string, unknown>>;
}

let jobs = 0;
/** Starts a runner, as the agent does, with a job that downloads the file. */
function start(more = ""): Job {
  const files = jobDirectory(workDir, ++jobs);
  mkdirSync(files.root, { recursive: true });
  const definition = `
device_type: qemu
job_name: a download
visibility: public
context: {arch: amd64}
timeouts: {job: {minutes: 5}, action: {minutes: 5}, connection: {minutes: 2}}
actions:
  - deploy:
      to: downloads
      images:
        rootfs: {url: "${server.base}/rootfs.img"${more}}
`;
  const ticket = {
    job_id: jobs,
    token: "job-token",
    definition,
    device: guestDevice("/bin/true"),
    device_hostname: "dut-1",
    device_type: "qemu",
    dispatcher: "cache_mb: 100\n",
    env_dut: "",
  };
  writeFileSync(files.ticket, JSON.stringify(ticket));
  const child: ChildProcess = spawn(process.execPath, [program.file, "runner", files.root], {
    stdio: "inherit",
  });
  const ended = once(child, "close").then(
    () => JSON.parse(readFileSync(files.result, "utf8")) as Record<string, unknown>,
  );
  return { files, ended };
}

const messages = ({ files }: Job): unknown[] =>
  readFileSync(files.log, "utf8")
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as LogRecord).msg);

test("two jobs at once download a file once; a later one that names its checksum asks nobody", async () => {
  server.files["/rootfs.img"] = { bytes: content, holdAfter: 1_000_000 };
  const first = start();
  await expect.poll(() => server.seen, { timeout: 20_000 }).toContain("GET /rootfs.img 200");
  const second = start();
  await expect
    .poll(() => messages(second), { timeout: 20_000 })
    .toContain("another job of this worker is downloading it: waiting");
  server.go();
  for (const job of [first, second]) expect(await job.ended).toMatchObject({ result: "pass" });
  expect(server.seen.filter((line) => line.startsWith("GET"))).toEqual(["GET /rootfs.img 200"]);
  server.seen.length = 0;
  const third = start(`, sha256sum: ${sha256}`);
  expect(await third.ended).toMatchObject({ result: "pass" });
  expect(server.seen).toEqual([]);
  expect(messages(third)).toContain(
    `in the worker's cache: ${content.length} bytes, sha256 ${sha256}`,
  );
});

test("a job that wants no cache downloads for itself", async () => {
  server.files["/rootfs.img"] = { bytes: content };
  expect(await start().ended).toMatchObject({ result: "pass" });
  server.seen.length = 0;
  const job = start(", use_cache: false");
  expect(await job.ended).toMatchObject({ result: "pass" });
  expect(server.seen).toEqual(["HEAD /rootfs.img 200", "GET /rootfs.img 200"]);
});
