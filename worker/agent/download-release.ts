import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  createReadStream,
  createWriteStream,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
} from "node:fs";
import type { IncomingMessage } from "node:http";
import path from "node:path";
import { HttpError, type HttpClient } from "../host/http-client.ts";
import type { Clock } from "./clock.ts";
import { LinkExpired } from "./upgrade-failure.ts";

export interface ReleaseDownload {
  readonly http: Pick<HttpClient, "open">;
  readonly clock: Clock;
  /** Folder for what is not yet whole; nothing else is kept there. */
  readonly folder: string;
  readonly url: string;
  readonly bytes: number;
  /** Lower-case hex; what is there is of this file, as its name has it. */
  readonly sha256: string;
  /** Kilobytes (1000 bytes) a second at most; 0: as fast as it comes. */
  readonly kbps: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (received: number) => void;
  /** A line that brings nothing for so long is dead; a minute when not given. */
  readonly idleMs?: number;
}

const HEAD_TIMEOUT_MS = 30_000;
const IDLE_MS = 60_000;

/**
 * Brings the rest of a file whose beginning may be there from before, and gives its path. What was received stays, also when
 * this throws: `LinkExpired` when the link is not good any more, otherwise an error after which trying on makes sense, or the signal's reason.
 */
export async function downloadRelease(request: ReleaseDownload): Promise<string> {
  const { folder, sha256, bytes } = request;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const name = `${sha256}.part`;
  const file = path.join(folder, name);
  for (const other of readdirSync(folder)) {
    if (other !== name) rmSync(path.join(folder, other), { recursive: true, force: true });
  }
  let size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > bytes) {
    rmSync(file);
    size = 0;
  }
  if (size < bytes) await receive(request, file, size);
  if ((await sha256Of(file)) === sha256) return file;
  rmSync(file);
  throw new Error("what was downloaded is damaged: it begins anew");
}

async function receive(request: ReleaseDownload, file: string, size: number): Promise<void> {
  const { http, url, bytes, signal } = request;
  const headers = size > 0 ? { range: `bytes=${size}-` } : {};
  const answer = await http.open({ url, headers, timeoutMs: HEAD_TIMEOUT_MS, signal });
  try {
    const start = startOf(answer, size, bytes, file);
    const received = await append(request, answer, file, start);
    if (received < bytes) throw new Error(`the download ended after ${received} of ${bytes} bytes`);
  } finally {
    answer.destroy();
  }
}

/** Where in the file the answer's body begins. */
function startOf(answer: IncomingMessage, size: number, bytes: number, file: string): number {
  const { statusCode: status = 0 } = answer;
  if ([400, 401, 403, 404, 410].includes(status)) {
    throw new LinkExpired(`the link to the file is not good (${status})`);
  }
  if (status === 206 && size > 0) {
    const range = answer.headers["content-range"] ?? "";
    if (range === `bytes ${size}-${bytes - 1}/${bytes}`) return size;
    rmSync(file);
    throw new Error(`the server sends another part than was asked for (${range.slice(0, 100)})`);
  }
  if (status === 200) return 0;
  if (status === 416) rmSync(file, { force: true });
  throw new HttpError(`the download of the file is answered with ${status}`, { status });
}

/** @returns how long the file is now; never longer than was announced. */
async function append(
  { clock, bytes, kbps, signal, onProgress, idleMs = IDLE_MS }: ReleaseDownload,
  answer: IncomingMessage,
  file: string,
  start: number,
): Promise<number> {
  const target = createWriteStream(file, { flags: start > 0 ? "a" : "w", mode: 0o600 });
  const failed = new Promise<never>((_, reject) => target.once("error", reject));
  // Told below; without this it would be nobody's until then.
  failed.catch(() => {});
  const began = clock.now();
  let size = start;
  const dead = (): void => void answer.destroy(new Error(`nothing came for ${idleMs / 1000} s`));
  let idle = setTimeout(dead, idleMs);
  const stop = (): void => void answer.destroy(signal.reason as Error);
  signal.addEventListener("abort", stop, { once: true });
  try {
    for await (const piece of answer as AsyncIterable<Buffer>) {
      clearTimeout(idle);
      if (size + piece.length > bytes) throw new Error("the file is longer than was announced");
      if (!target.write(piece)) await Promise.race([once(target, "drain"), failed]);
      size += piece.length;
      onProgress?.(size);
      if (kbps > 0) {
        const due = began + (size - start) / kbps;
        if (due > clock.now()) await clock.sleep(due - clock.now(), signal);
        signal.throwIfAborted();
      }
      idle = setTimeout(dead, idleMs);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(idle);
    signal.removeEventListener("abort", stop);
    target.end();
    // What is written stays for the next time, so it must be on its way to the disk before anybody looks.
    if (!target.errored) await Promise.race([once(target, "close"), failed]);
  }
  return size;
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(file) as AsyncIterable<Buffer>) hash.update(piece);
  return hash.digest("hex");
}
