import { createHash } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { access, rename, rm, stat } from "node:fs/promises";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { isCached, openCached } from "../cache/cached-download.ts";
import { cleanCache } from "../cache/show-cache.ts";
import type { DownloadCache } from "../cache/make-room.ts";
import { JobFailure } from "../pipeline/job-failure.ts";
import { isRemote, openRemote, probeRemote, type RcloneAccess } from "./download-remote.ts";
import type { DownloadRules } from "./download-rules.ts";
import type { Source, Sums, WantedSums } from "./download-source.ts";
import { fetchUrl } from "./fetch-url.ts";
import { requireOpenFile } from "./local-file.ts";
import { isNoRoom } from "./spool.ts";
import { fromWeb, openWebFile } from "./web-file.ts";
import { unpackTo, unpackZip, type Compression } from "./unpack.ts";

export interface Download {
  /** http, https, file, scp or rclone. */
  readonly url: string;
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly compression?: Compression | "zip" | undefined;
  /** Of the bytes as downloaded, before decompression. */
  readonly checksums?: WantedSums | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly backoffMs?: number | undefined;
  readonly rclone?: RcloneAccess | undefined;
  /** Which hosts may be reached. */
  readonly rules?: DownloadRules | undefined;
  /** Each piece that came: bytes so far, and of how many when the server said so. */
  readonly onProgress?: (received: number, total: number | undefined) => void;
  /** What a person who waits wants to know beside that: from where it comes, why it waits. */
  readonly onNote?: (text: string) => void;
  /** Where files of web servers are kept for other jobs. */
  readonly cache?: DownloadCache | undefined;
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
  const { url, headers = {}, signal, backoffMs, rules } = request;
  if (url.startsWith("file://")) return void (await localFile(url));
  if (isRemote(url)) return probeRemote(request);
  const wanted = plain(request.checksums);
  if (request.cache && isCached({ ...request, cache: request.cache, wanted })) return;
  for (const method of ["HEAD", "GET"] as const) {
    const answer = await fetchUrl(url, { method, headers, signal, backoffMs, rules });
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

/** Again when cached bytes were wrong, which are forgotten then, or when the cache has room that the job needs. */
async function fetchInto(target: string, request: Download): Promise<Downloaded> {
  for (const cache of [request.cache, request.cache]) {
    try {
      const done = await fetchOnce(target, { ...request, cache });
      if (done !== "again") return done;
    } catch (error) {
      if (!isNoRoom(error) || !cache || cleanCache(cache.folder).bytes === 0) throw error;
    }
  }
  const done = await fetchOnce(target, { ...request, cache: undefined });
  if (done === "again") throw new Error("the bytes of no cache were wrong");
  return done;
}

async function fetchOnce(target: string, request: Download): Promise<Downloaded | "again"> {
  const source = await openSource(request);
  try {
    const { sums, sizeBytes } = await written(target, source, request);
    await source.kept(sums, sizeBytes);
    return { sizeBytes, sha256: sums.sha256 };
  } catch (error) {
    if (await source.failed(error)) return "again";
    throw error;
  }
}

/** Decompresses the bytes into a file; @throws JobFailure Job when they are others than said. */
async function written(
  target: string,
  source: Source,
  request: Download,
): Promise<{ sums: Sums; sizeBytes: number }> {
  const { compression, signal } = request;
  const wanted = plain(request.checksums);
  const hashes = ALGORITHMS.filter((name) => name === "sha256" || wanted[name]).map(
    (name) => [name, createHash(name)] as const,
  );
  let sizeBytes = 0;
  let broken: unknown;
  async function* tapped(): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of source.chunks) {
        sizeBytes += chunk.length;
        for (const [, hash] of hashes) hash.update(chunk);
        request.onProgress?.(sizeBytes, source.sizeBytes);
        yield chunk;
      }
    } catch (error) {
      broken = error;
      throw error;
    }
    if (source.sizeBytes !== undefined && sizeBytes !== source.sizeBytes) {
      broken = new Error(`it ended after ${sizeBytes} of ${source.sizeBytes} bytes`);
      throw broken;
    }
  }
  const { input, done } = unpackTo(target, compression === "zip" ? undefined : compression, signal);
  const fed = pipeline(tapped, input, signal ? { signal } : {});
  const ends = await Promise.allSettled([done, fed]);
  signal?.throwIfAborted();
  if (broken) throw broken;
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  const sums = Object.fromEntries(hashes.map(([name, hash]) => [name, hash.digest("hex")]));
  checkSums(sums, { sha256: source.sha256, ...wanted }, request);
  return { sums: { ...sums, sha256: sums["sha256"] ?? "" }, sizeBytes };
}

const ALGORITHMS = ["md5", "sha256", "sha512"] as const;

function checkSums(
  sums: Readonly<Record<string, string>>,
  expected: WantedSums,
  { url }: Download,
): void {
  for (const name of ALGORITHMS) {
    const sum = expected[name];
    if (!sum || sums[name] === sum) continue;
    throw new JobFailure(
      "Job",
      `${name} for '${url}' does not match. Expected ${sum}, got ${sums[name]}`,
    );
  }
}

/** Without the blanks and capitals that a job may write. */
const plain = (sums: WantedSums = {}): WantedSums =>
  Object.fromEntries(
    ALGORITHMS.flatMap((name) => {
      const sum = sums[name]?.trim().toLowerCase();
      return sum ? [[name, sum]] : [];
    }),
  );

async function openSource(request: Download): Promise<Source> {
  const { url, cache } = request;
  if (url.startsWith("file://")) {
    const file = await localFile(url);
    return uncached(createReadStream(file.path), file.sizeBytes);
  }
  if (isRemote(url)) {
    const { stream, sizeBytes } = await openRemote(request);
    return uncached(stream, sizeBytes);
  }
  if (cache) return openCached({ ...request, cache, wanted: plain(request.checksums) });
  return fromWeb(await openWebFile(request));
}

const uncached = (stream: Readable, sizeBytes: number | undefined): Source => ({
  chunks: stream as AsyncIterable<Buffer>,
  sizeBytes,
  kept: async () => {},
  failed: async () => {
    stream.destroy();
    return false;
  },
});

/** A `file://` URL's path is taken as it stands: nothing in it is decoded (DISPATCHER.md 11.1). */
async function localFile(url: string): Promise<{ path: string; sizeBytes: number }> {
  const path = url.slice("file://".length);
  requireOpenFile(path);
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
  const reason = isNoRoom(error) ? "the worker's disk is full" : (error as Error).message;
  return new JobFailure("Infrastructure", `Unable to download '${url}': ${reason}`, {
    cause: error,
  });
}
