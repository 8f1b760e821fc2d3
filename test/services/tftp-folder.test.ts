import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createSocket } from "node:dgram";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { tftpForJobs } from "../../worker/services/agent-tftp.ts";
import { tftpGet } from "../../worker/services/tftp-client.ts";
import { publish, tftpFolder } from "../../worker/services/tftp-folder.ts";
import { startTftpServer } from "../../worker/services/tftp-server.ts";
import { aJobContext } from "../support/plan-of.ts";

let work: string;
let releases: (() => Promise<void>)[];
beforeEach(() => {
  work = mkdtempSync(path.join(tmpdir(), "pumice-tftp-folder-"));
  releases = [];
});
afterEach(async () => {
  for (const release of releases.reverse()) await release();
  rmSync(work, { recursive: true });
});

/** A port that nobody has; the address is one of loopback's that no other test has. */
const at = { address: `127.78.${process.pid % 250}.${(process.pid >> 8) % 250}`, port: 6974 };
const nothing = (): void => {};
const log = {
  write: () => 0,
  writeLines: () => [],
  debug: nothing,
  info: nothing,
  warning: nothing,
  error: nothing,
  result: nothing,
};
function contextOf(settings: Record<string, unknown> = {}) {
  const dispatcher = { dispatcher_ip: at.address, tftp_port: at.port, ...settings };
  const job = { ...aJobContext(), scratch: path.join(work, "scratch"), dispatcher };
  return { job, log, defer: (release: () => Promise<void>) => void releases.push(release) };
}

test("where nobody serves, the job does so itself, until it ends", async () => {
  const context = contextOf({ prefix: "lab-" });
  const own = await tftpFolder(context);
  const file = path.join(work, "Image");
  writeFileSync(file, "the kernel");
  const name = await publish(context.job, own, file, "kernel/Image");
  expect(name).toBe("lab-7/kernel/Image");
  expect((await tftpGet(at, name)).toString()).toBe("the kernel");
  for (const release of releases.splice(0).reverse()) await release();
  await expect(tftpGet(at, name, { timeoutMs: 20 })).rejects.toThrow();
});

test("where the agent serves its work folder, the job's folder is in it as long as the job lasts", async () => {
  const root = path.join(work, "tftp");
  const lines: string[] = [];
  const served = new Promise<void>((resolve) => {
    const { jobBegins } = tftpForJobs(work, (line) => {
      lines.push(line);
      resolve();
    });
    const dispatcher = `{dispatcher_ip: ${at.address}, tftp_port: 6975}`;
    jobBegins({ job_id: 6, definition: "actions: [{deploy: {to: tmpfs}}]", dispatcher });
    jobBegins({ job_id: 7, definition: "actions:\n- deploy:\n    to: tftp\n", dispatcher });
    jobBegins({ job_id: 8, definition: "actions: [{deploy: {to: tftp}}]", dispatcher });
  });
  await served;
  expect(lines).toEqual([`serving TFTP on ${at.address}:6975`]);
  const context = contextOf({ tftp_port: 6975 });
  const own = await tftpFolder({ ...context, job: { ...context.job, tftpRoot: root } });
  expect(existsSync(path.join(own.folder, "probe"))).toBe(false);
  writeFileSync(path.join(own.folder, "x"), "x");
  expect((await tftpGet({ ...at, port: 6975 }, "7/x")).toString()).toBe("x");
  for (const release of releases.splice(0).reverse()) await release();
  expect(existsSync(path.join(root, "7"))).toBe(false);
});

test("a job's text, whatever it holds, keeps the agent from nothing", () => {
  const { jobBegins } = tftpForJobs(work, nothing);
  jobBegins({ job_id: 9, definition: `to${" ".repeat(1_000_000)}x` });
});

test("a server of somebody else on the port fails the job, with what to do", async () => {
  const other = await startTftpServer({ ...at, root: work });
  releases.push(() => other.close());
  const failed = tftpFolder(contextOf());
  await expect(failed).rejects.toMatchObject({ type: "Infrastructure" });
  await expect(failed).rejects.toThrow(
    "doesn't serve this job's folder (File not found): stop it, set tftp_dir",
  );
});

test("something on the port that is no TFTP server is as wrong", async () => {
  const other = createSocket("udp4");
  await new Promise<void>((resolve) => void other.bind(at.port, at.address, resolve));
  await expect(tftpFolder(contextOf())).rejects.toThrow(
    "doesn't serve this job's folder (no answer)",
  );
  other.close();
});

test("in the folder of a system's server the job has one of its own, made anew once and removed", async () => {
  const context = contextOf({ tftp_dir: work });
  const old = path.join(work, "7/old");
  mkdirSync(path.dirname(old));
  writeFileSync(old, "of a run that was killed");
  const { folder } = await tftpFolder(context);
  expect(folder).toBe(path.join(work, "7"));
  expect(existsSync(old)).toBe(false);
  const first = path.join(folder, "of the first deployment");
  writeFileSync(first, "");
  await tftpFolder(context);
  expect(existsSync(first)).toBe(true);
  for (const release of releases.splice(0)) await release();
  expect(existsSync(folder)).toBe(false);
  await expect(tftpFolder(contextOf({ tftp_dir: "/nonexistent" }))).rejects.toThrow(
    "tftp_dir /nonexistent can't be written to",
  );
});

test("a prefix that leads elsewhere is refused, and so is a file that is too large", async () => {
  await expect(tftpFolder(contextOf({ prefix: "../" }))).rejects.toThrow("prefix '../'");
  const context = contextOf({ tftp_dir: work, tftp_size_limit: 5 });
  const own = await tftpFolder(context);
  const file = path.join(work, "large");
  writeFileSync(file, "12345");
  await expect(publish(context.job, own, file, "x/large")).rejects.toThrow(
    "large has 5 bytes: files for TFTP must be smaller than 5",
  );
});
