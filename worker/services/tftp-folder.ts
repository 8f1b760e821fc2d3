import { randomBytes } from "node:crypto";
import { copyFile, link, mkdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import type { JobContext, RunContext } from "../pipeline/action.ts";
import { JobFailure } from "../pipeline/job-failure.ts";
import { servicePort, servicesAddress } from "./services-address.ts";
import { tftpGet, TftpError } from "./tftp-client.ts";
import { startTftpServer } from "./tftp-server.ts";

/** A folder of the worker, and its name for those who fetch from it by TFTP. */
export interface TftpFolder {
  readonly folder: string;
  readonly tftpPath: string;
}

type Context = Pick<RunContext, "job" | "defer" | "log">;

/**
 * The job's own folder of a TFTP server, as `<prefix><job id>`, until the job ends. With setting `tftp_dir` it is
 * made there, for the system's server. Else the server is the agent's, or when nobody listens on `tftp_port` one
 * of this process. See docs/services.md.
 *
 * @throws JobFailure Infrastructure when there is no server that serves it, with what to do.
 */
export async function tftpFolder(context: Context): Promise<TftpFolder> {
  const { job, defer } = context;
  const tftpPath = folderName(job);
  const systemFolder = job.dispatcher["tftp_dir"];
  if (typeof systemFolder === "string" && systemFolder !== "") {
    const folder = path.join(systemFolder, tftpPath);
    // Another deployment of this job may have its files in there.
    if (made.has(job)) return { folder, tftpPath };
    await makeAnew(folder, systemFolder);
    made.add(job);
    defer(async () => {
      made.delete(job);
      await rm(folder, { recursive: true, force: true });
    });
    return { folder, tftpPath };
  }
  const folder = path.join(job.scratch, "tftp");
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const root = job.tftpRoot ?? path.join(job.scratch, "tftp-root");
  await mkdir(root, { recursive: true, mode: 0o700 });
  const entry = path.join(root, tftpPath);
  await rm(entry, { force: true });
  await symlink(folder, entry);
  defer(() => rm(entry, { force: true }));
  await serve(context, root, { folder, tftpPath });
  return { folder, tftpPath };
}

/** Jobs whose folder in `tftp_dir` is theirs already. */
const made = new WeakSet<JobContext>();

/** Checks the settings before any hardware is touched. @throws JobFailure Configuration. */
export function requireTftp(job: JobContext): void {
  folderName(job);
  if (job.dispatcher["tftp_dir"]) return;
  servicesAddress(job.dispatcher);
  servicePort(job.dispatcher, "tftp_port", 69);
}

/** `<prefix><job id>`: the first part of all TFTP paths of a job. @throws JobFailure Configuration. */
export function folderName({ dispatcher, jobId }: JobContext): string {
  const prefix = String(dispatcher["prefix"] ?? "");
  if (/^[\w.-]*$/.test(prefix)) return `${prefix}${jobId}`;
  const message = `prefix '${prefix}': expected letters, digits, ".", "-" and "_"`;
  throw new JobFailure("Configuration", message);
}

/**
 * Puts a file where it can be fetched by TFTP; its name there. No bytes are copied where a link will do.
 *
 * @throws JobFailure Job when it is larger than a TFTP client may be given (`tftp_size_limit`, 4 GiB).
 */
export async function publish(
  { dispatcher }: JobContext,
  { folder, tftpPath }: TftpFolder,
  file: string,
  name: string,
): Promise<string> {
  const { size } = await stat(file);
  const limit = Number(dispatcher["tftp_size_limit"] ?? 4 * 1024 ** 3);
  if (size >= limit) {
    const message = `${path.basename(file)} has ${size} bytes: files for TFTP must be smaller than ${limit}`;
    throw new JobFailure("Job", message);
  }
  const target = path.join(folder, name);
  if (target !== file) {
    await mkdir(path.dirname(target), { recursive: true, mode: 0o755 });
    await rm(target, { force: true });
    await link(file, target).catch(() => copyFile(file, target));
  }
  return `${tftpPath}/${name}`;
}

async function makeAnew(folder: string, parent: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { mode: 0o755 });
  } catch (cause) {
    const message = `tftp_dir ${parent} can't be written to: ${(cause as Error).message}; make it a folder that this user may write to and the TFTP server serves`;
    throw new JobFailure("Infrastructure", message, { cause });
  }
}

/** The port is taken by whoever serves; taking it is the only way to know that there is nobody. */
async function serve(context: Context, root: string, own: TftpFolder): Promise<void> {
  const { job, defer, log } = context;
  const address = servicesAddress(job.dispatcher);
  const port = servicePort(job.dispatcher, "tftp_port", 69);
  const onLine = (line: string): void => log.debug(`tftp: ${line}`);
  try {
    const server = await startTftpServer({ address, port, root, onLine });
    defer(() => server.close());
    log.debug(`serving TFTP on ${address}:${server.port}`);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "EADDRINUSE") return probe(address, port, own);
    const advice =
      code === "EACCES"
        ? "ports below 1024 need the capability CAP_NET_BIND_SERVICE; or set tftp_dir to the folder of a system server"
        : "see the settings services_address and tftp_port";
    const text = `the TFTP server can't listen on ${address}:${port}: ${message}; ${advice}`;
    throw new JobFailure("Infrastructure", text, { cause });
  }
}

async function probe(address: string, port: number, own: TftpFolder): Promise<void> {
  const content = randomBytes(16).toString("hex");
  const file = path.join(own.folder, "probe");
  await writeFile(file, content);
  const at = { address: address === "0.0.0.0" ? "127.0.0.1" : address, port };
  try {
    const got = await tftpGet(at, `${own.tftpPath}/probe`);
    if (got.toString("latin1") === content) return;
    throw new TftpError("it serves another file of that name", undefined);
  } catch (cause) {
    const said = cause instanceof TftpError ? cause.message : String(cause);
    const message = `another TFTP server has ${at.address}:${port} and doesn't serve this job's folder (${said}): stop it, set tftp_dir to its folder, or set another services_address`;
    throw new JobFailure("Infrastructure", message, { cause });
  } finally {
    await rm(file, { force: true });
  }
}
