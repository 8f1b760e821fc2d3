import { createHash } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { access, rename, rm, stat } from "node:fs/promises";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { JobFailure } from "../pipeline/job-failure.ts";
import { isRemote, openRemote, probeRemote, type RcloneAccess } from "./download-remote.ts";
import { fetchUrl } from "./fetch-url.ts";
import { unpackTo, unpackZip, type Compression } from "./unpack.ts";

export interface Download {
  /** http, https, file, scp or rclone. */
  readonly url: string;
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly compression?: Compression | "zip" | undefined;
  /** Of the bytes as downloaded, before decompression. */
  readonly checksums?: Checksums | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly backoffMs?: number | undefined;
  readonly rclone?: RcloneAccess | undefined;
  /** Each piece that came: bytes so far, and of how many when the server said so. */
  readonly onProgress?: (received: number, total: number | undefined) => void;
}

export interface Checksums {
  readonly md5?: string | undefined;
  readonly sha256?: string | undefined;
  readonly sha512?: string | undefined;
}

export interface Downloaded {
  /** Of the bytes as downloaded. */
  readonly sizeBytes: number;
  readonly sha256: string;
}

/**
 * Downloads a file, decompresses it on the way and checks it. Nothing is left at `target` on failure.
 *
 * @throws JobFailure Infrastructure when the source fails or the disk is full; Job when checksum or
 * compression is another than said; the signal's reason when aborted.
 */
export async function download(request: Download): Promise<Downloaded> {
  const { target, compression } = request;
  const zip = compression === "zip" ? `${target}.zip` : undefined;
  try {
    const downloaded = await fetchInto(zip ?? target, request);
    if (zip !== undefined) await unpackZip(zip, `${target}.part`);
    if (zip !== undefined) await rename(`${target}.part`, target);
    return downloaded;
  } catch (error) {
    await rm(target, { force: true });
    request.signal?.throwIfAborted();
    throw asFailure(error, request.url);
  } finally {
    if (zip !== undefined) await rm(zip, { force: true });
    if (zip !== undefined) await rm(`${target}.part`, { force: true });
  }
}

/**
 * Finds out whether a download could start, without downloading.
 *
 * @throws JobFailure Job when there is nothing at the URL, Infrastructure when nobody answers or the server is broken.
 */
export async function probeDownload(request: Omit<Download, "target">): Promise<void> {
  const { url, headers = {}, signal, backoffMs } = request;
  if (url.startsWith("file://")) return void (await localFile(url));
  if (isRemote(url)) return probeRemote(request);
  for (const method of ["HEAD", "GET"] as const) {
    const answer = await fetchUrl(url, { method, headers, signal, backoffMs });
    answer.destroy();
    if (answer.statusCode === 200) return;
    // Not every server answers HEAD as it would GET.
    if (method === "GET") {
      const { statusCode = 0 } = answer;
      const type = isServerTrouble(statusCode) ? "Infrastructure" : "Job";
      throw new JobFailure(type, `Resource unavailable at '${url}' (${statusCode})`);
    }
  }
}

/** What a server says about itself, not about what was asked for. */
const isServerTrouble = (status: number): boolean =>
  status >= 500 || status === 408 || status === 429;

async function fetchInto(target: string, request: Download): Promise<Downloaded> {
  const { url, compression, signal, checksums = {} } = request;
  const source = await openSource(request);
  const hashes = {
    md5: createHash("md5"),
    sha256: createHash("sha256"),
    sha512: createHash("sha512"),
  };
  const wanted = (["md5", "sha512"] as const).filter((algorithm) => checksums[algorithm]);
  let received = 0;
  let broken: unknown;
  async function* tapped(): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of source.stream as AsyncIterable<Buffer>) {
        received += chunk.length;
        hashes.sha256.update(chunk);
        for (const algorithm of wanted) hashes[algorithm].update(chunk);
        request.onProgress?.(received, source.sizeBytes);
        yield chunk;
      }
    } catch (error) {
      broken = error;
      throw error;
    }
    if (source.sizeBytes !== undefined && received !== source.sizeBytes) {
      broken = new Error(`it ended after ${received} of ${source.sizeBytes} bytes`);
      throw broken;
    }
  }
  const { input, done } = unpackTo(target, compression === "zip" ? undefined : compression, signal);
  const fed = pipeline(tapped, input, signal ? { signal } : {});
  const ends = await Promise.allSettled([done, fed]);
  source.stream.destroy();
  signal?.throwIfAborted();
  if (broken) throw broken;
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  const sha256 = hashes.sha256.digest("hex");
  for (const [algorithm, expected] of Object.entries(checksums)) {
    if (!expected) continue;
    const actual =
      algorithm === "sha256" ? sha256 : hashes[algorithm as "md5" | "sha512"].digest("hex");
    if (actual === expected.trim().toLowerCase()) continue;
    throw new JobFailure(
      "Job",
      `${algorithm} for '${url}' does not match. Expected ${expected}, got ${actual}`,
    );
  }
  return { sizeBytes: received, sha256 };
}

interface Source {
  readonly stream: Readable;
  readonly sizeBytes: number | undefined;
}

async function openSource(request: Download): Promise<Source> {
  const { url, headers = {}, signal, backoffMs } = request;
  if (url.startsWith("file://")) {
    const file = await localFile(url);
    return { stream: createReadStream(file.path), sizeBytes: file.sizeBytes };
  }
  if (isRemote(url)) return openRemote(request);
  const stream = await fetchUrl(url, { method: "GET", headers, signal, backoffMs });
  if (stream.statusCode !== 200) {
    stream.destroy();
    throw new JobFailure("Infrastructure", `Unable to download '${url}': ${stream.statusCode}`);
  }
  const length = stream.headers["content-length"];
  return { stream, sizeBytes: length === undefined ? undefined : Number(length) };
}

/** A `file://` URL's path is taken as it stands: nothing in it is decoded (DISPATCHER.md 11.1). */
async function localFile(url: string): Promise<{ path: string; sizeBytes: number }> {
  const path = url.slice("file://".length);
  const found = await stat(path).catch(() => undefined);
  const readable = await access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
  if (!path.startsWith("/") || !found?.isFile() || !readable) {
    throw new JobFailure(
      "Job",
      `Resource unavailable at '${url}': expected a readable file on the worker`,
    );
  }
  return { path, sizeBytes: found.size };
}

function asFailure(error: unknown, url: string): JobFailure {
  if (error instanceof JobFailure) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const reason = code === "ENOSPC" ? "the worker's disk is full" : message;
  return new JobFailure("Infrastructure", `Unable to download '${url}': ${reason}`, {
    cause: error,
  });
}
