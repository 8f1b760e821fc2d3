import { constants } from "node:fs";
import { open, realpath, type FileHandle } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { dispatcherIp, inUrl } from "../host/dispatcher-ip.ts";
import type { JobContext, RunContext } from "../pipeline/action.ts";
import { JobFailure } from "../pipeline/job-failure.ts";
import { servicePort, servicesAddress } from "./services-address.ts";

/**
 * The http address under which the DUT fetches a file, or what is below a folder, of the job's scratch
 * folder: `http://<dispatcher_ip>:<port>/tmp/<path in scratch>`. One server a job, in the runner's process, on
 * `services_address` and `http_port` (any free one when not set); it ends with the action that asked first,
 * or with the job. It serves what was asked for here and nothing else.
 *
 * @throws JobFailure Infrastructure when there is no such file or the port is taken.
 */
export async function serveFile(
  context: Pick<RunContext, "job" | "defer" | "log">,
  file: string,
): Promise<string> {
  const { job } = context;
  const scratch = await realpath(job.scratch);
  const served = await realpath(file).catch((cause: unknown) => {
    throw new JobFailure("Infrastructure", `${file} can't be served: it isn't there`, { cause });
  });
  if (!isBelow(served, scratch)) throw new Error(`${file} is not in the job's folder`);
  const { port, allowed } = await serverOf(context, scratch);
  allowed.add(served);
  const parts = path.relative(scratch, served).split(path.sep).map(encodeURIComponent);
  return `http://${inUrl(dispatcherIp(job.dispatcher))}:${port}/tmp/${parts.join("/")}`;
}

interface JobServer {
  readonly port: number;
  /** Real paths: files, and folders with all that is below them. */
  readonly allowed: Set<string>;
}

const servers = new WeakMap<JobContext, Promise<JobServer>>();

function serverOf(
  { job, defer, log }: Pick<RunContext, "job" | "defer" | "log">,
  scratch: string,
): Promise<JobServer> {
  const running = servers.get(job);
  if (running) return running;
  const started = (async () => {
    const allowed = new Set<string>();
    const server = createServer((request, response) => {
      void answer(request, response, scratch, allowed).catch(() => response.destroy());
    });
    server.maxConnections = 64;
    await listen(server, job);
    const { address, port } = server.address() as AddressInfo;
    defer(async () => {
      servers.delete(job);
      server.closeAllConnections();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    });
    log.debug(`serving files of this job by HTTP on ${address}:${port}`);
    return { port, allowed };
  })();
  servers.set(job, started);
  started.catch(() => servers.delete(job));
  return started;
}

async function listen(server: Server, { dispatcher }: JobContext): Promise<void> {
  const host = servicesAddress(dispatcher);
  const port = servicePort(dispatcher, "http_port", 0);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => {
      const message = `the file server can't listen on ${host}:${port}: ${cause.message}; see the settings services_address and http_port`;
      reject(new JobFailure("Infrastructure", message, { cause }));
    });
    server.listen({ host, port }, resolve);
  });
  server.on("error", () => {});
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  scratch: string,
  allowed: ReadonlySet<string>,
): Promise<void> {
  const { method = "", url = "" } = request;
  if (method !== "GET" && method !== "HEAD") return refuse(response, 405);
  const file = await servedFile(url, scratch, allowed);
  if (file === undefined) return refuse(response, 404);
  // A pipe that a container has left there would be waited for without end.
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    await send(request, response, handle);
  } finally {
    await handle.close();
  }
}

async function send(
  { method, headers }: IncomingMessage,
  response: ServerResponse,
  handle: FileHandle,
): Promise<void> {
  const info = await handle.stat();
  if (!info.isFile()) return refuse(response, 404);
  const range = rangeOf(headers.range, info.size);
  if (range === "unsatisfiable") {
    response.setHeader("content-range", `bytes */${info.size}`);
    return refuse(response, 416);
  }
  const { start, end } = range ?? { start: 0, end: info.size - 1 };
  response.writeHead(range ? 206 : 200, {
    "content-type": "application/octet-stream",
    "content-length": end - start + 1,
    "accept-ranges": "bytes",
    "last-modified": info.mtime.toUTCString(),
    ...(range ? { "content-range": `bytes ${start}-${end}/${info.size}` } : {}),
  });
  if (method === "HEAD" || end < start) return void response.end();
  await pipeline(handle.createReadStream({ start, end, autoClose: false }), response);
}

function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status, { "content-length": 0 });
  response.end();
}

/** The real path that a URL means, if it may be served: links are followed first, then judged. */
async function servedFile(
  url: string,
  scratch: string,
  allowed: ReadonlySet<string>,
): Promise<string | undefined> {
  const match = /^\/tmp\/([^?#]*)/.exec(url);
  if (!match?.[1]) return undefined;
  try {
    const name = decodeURIComponent(match[1]);
    if (name.includes("\0")) return undefined;
    const real = await realpath(path.join(scratch, path.posix.normalize(`/${name}`)));
    return [...allowed].some((one) => real === one || isBelow(real, one)) ? real : undefined;
  } catch {
    return undefined;
  }
}

/** RFC 9110 14.2: one range of bytes is served; anything else gets the whole file, as if not asked for. */
function rangeOf(
  header: string | undefined,
  size: number,
): { start: number; end: number } | "unsatisfiable" | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return undefined;
  if (match[1] === "") {
    const suffix = Number(match[2]);
    if (suffix === 0 || size === 0) return "unsatisfiable";
    return { start: Math.max(0, size - suffix), end: size - 1 };
  }
  const start = Number(match[1]);
  const end = match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (match[2] !== "" && Number(match[2]) < start) return undefined;
  return start >= size ? "unsatisfiable" : { start, end };
}

const isBelow = (file: string, folder: string): boolean => file.startsWith(folder + path.sep);
