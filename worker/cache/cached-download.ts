import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Sums, Source, WantedSums } from "../host/download-source.ts";
import { isNoRoom } from "../host/spool.ts";
import {
  fromWeb,
  openIfChanged,
  openWebFile,
  type WebFile,
  type WebRequest,
} from "../host/web-file.ts";
import { JobFailure } from "../pipeline/job-failure.ts";
import {
  cacheKey,
  type CacheEntry,
  type CachePlaces,
  cachePlaces,
  dropEntry,
  listEntries,
  readEntry,
  touchEntry,
  writeEntry,
} from "./cache-folder.ts";
import { tryLock } from "./key-lock.ts";
import { makeRoom, type DownloadCache } from "./make-room.ts";
import {
  dropPart,
  partBytes,
  partSize,
  type PartWriter,
  readPart,
  writePart,
} from "./part-file.ts";
import { isOpenTo, mayBeCached, mayBeStored, shownUrl } from "./what-may-be-cached.ts";

export interface CachedRequest extends WebRequest {
  readonly cache: DownloadCache;
  readonly wanted: WantedSums;
  readonly onProgress?: ((received: number, total: number | undefined) => void) | undefined;
  /** A download by another job that gets no byte for so long is no longer waited for; 60 s when not given. */
  readonly stuckMs?: number | undefined;
}

const STUCK_MS = 60_000;

/**
 * A file of a web server by way of the worker's cache. With a checksum that the cache has, nobody is asked; else
 * the server, whether what is here is still good. Of several jobs that want a file at once one downloads it. A folder that
 * can't be used (others' files in it, a disk that became read-only) is as none.
 *
 * @throws as openWebFile.
 */
export async function openCached(request: CachedRequest): Promise<Source> {
  if (!mayBeCached(request)) return fromWeb(await openWebFile(request));
  try {
    return await openInCache(request);
  } catch (error) {
    const { path: place, message } = error as NodeJS.ErrnoException;
    // No room is what a cache can give back: whoever called does that.
    if (!place?.startsWith(request.cache.folder) || isNoRoom(error)) throw error;
    request.onNote?.(`the worker's cache can't be used, downloading without: ${message}`);
    return fromWeb(await openWebFile(request));
  }
}

async function openInCache(request: CachedRequest): Promise<Source> {
  const { cache, wanted, headers } = request;
  await mkdir(cache.folder, { recursive: true, mode: 0o700 });
  const access: Access = {
    request,
    places: cachePlaces(cache.folder),
    key: cacheKey(request.url, headers),
  };
  const known = findBySums(access.places, access.key, wanted);
  const hit = known && (await fromCache(access, known, "in the worker's cache"));
  if (hit) return hit;
  const before = readEntry(access.places, access.key)?.id;
  const lock = await lockOrWait(access);
  if (lock === "stuck") return fromWeb(await openWebFile(request));
  try {
    const found = readEntry(access.places, access.key);
    // Somebody else has asked for it while this job waited.
    const fresh = lock.hasWaited && found && found.id !== before;
    const source =
      (fresh && (await fromCache(access, access.key, "downloaded by another job just now"))) ||
      (await ask(access, found, lock.release));
    if (source.holdsLock !== true) lock.release();
    return source;
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Whether a download with these checksums would ask nobody. */
export function isCached({ cache, wanted, url, headers }: CachedRequest): boolean {
  const places = cachePlaces(cache.folder);
  return (
    mayBeCached({ url, headers }) &&
    findBySums(places, cacheKey(url, headers), wanted) !== undefined
  );
}

interface Access {
  readonly request: CachedRequest;
  readonly places: CachePlaces;
  readonly key: string;
}

type CachedSource = Source & { readonly holdsLock?: true };

/** The key of an entry whose bytes are those that the job names: of its own URL, or of any that was open to all. */
function findBySums(places: CachePlaces, own: string, wanted: WantedSums): string | undefined {
  const named = Object.entries(wanted).filter(([, sum]) => sum) as [keyof WantedSums, string][];
  if (named.length === 0) return undefined;
  const fits = (entry: CacheEntry | undefined): boolean =>
    named.every(([algorithm, sum]) => entry?.sums[algorithm] === sum);
  if (fits(readEntry(places, own))) return own;
  // MD5 no longer says that two files are the same.
  if (!wanted.sha256 && !wanted.sha512) return undefined;
  return listEntries(places).find(({ entry }) => entry.isOpen && fits(entry))?.key;
}

/** Bytes from the cache; undefined when they have gone. Their sum is checked by whoever reads them. */
async function fromCache(
  { request, places }: Access,
  key: string,
  why: string,
): Promise<CachedSource | undefined> {
  const entry = readEntry(places, key);
  if (!entry) return undefined;
  const { sizeBytes } = entry;
  const { sha256 } = entry.sums;
  const file = path.join(places.files, sha256);
  const found = await stat(file).catch(() => undefined);
  if (found && found.size !== sizeBytes) dropEntry(places, key, true);
  if (found?.size !== sizeBytes) return undefined;
  touchEntry(places, key);
  await makeRoom(request.cache, { cacheBytes: 0, diskBytes: sizeBytes }, key);
  const handle = await open(file).catch(() => undefined);
  if (handle === undefined) return undefined;
  request.onNote?.(`${why}: ${sizeBytes} bytes, sha256 ${sha256}`);
  const stream = createReadStream("", { fd: handle, highWaterMark: 256 * 1024 });
  let isUnreadable = false;
  stream.once("error", () => (isUnreadable = true));
  return {
    chunks: stream as AsyncIterable<Buffer>,
    sizeBytes,
    sha256,
    kept: async (sums) => {
      const all = { ...entry.sums, ...sums };
      const isNews = Object.keys(all).length > Object.keys(entry.sums).length;
      if (!isNews || readEntry(places, key)?.id !== entry.id) return;
      try {
        writeEntry(places, key, { ...entry, sums: all });
      } catch (error) {
        // The job has its file.
        request.onNote?.(`its sums are not kept: ${(error as Error).message}`);
      }
    },
    failed: async (error) => {
      stream.destroy();
      if (!isUnreadable && !isAboutBytes(error)) return false;
      request.onNote?.("the cached file is forgotten, and downloaded again");
      dropEntry(places, key, true);
      return true;
    },
  };
}

/** Asks the server, under the key's lock, for what the cache lacks. */
async function ask(
  access: Access,
  found: CacheEntry | undefined,
  release: () => void,
): Promise<CachedSource> {
  const { request, places, key } = access;
  const part = readPart(places, key);
  if (part) {
    const { bytes, validator, sizeBytes } = part;
    const web = await openWebFile({ ...request, from: { bytes, validator } });
    if (web.start > 0) request.onNote?.(`going on at ${bytes} of ${sizeBytes} bytes`);
    return throughPart(access, web, release);
  }
  const hasValidator = found && Object.keys(found.validator).length > 0;
  if (hasValidator) {
    const changed = await openIfChanged(request, found.validator);
    if (changed) return throughPart(access, changed, release);
    const hit = await fromCache(access, key, "unchanged since it was cached");
    if (hit) return hit;
  }
  return throughPart(access, await openWebFile(request), release);
}

/** The server's bytes, behind those of the part that is here, written to the part on their way. */
async function throughPart(
  access: Access,
  web: WebFile,
  release: () => void,
): Promise<CachedSource> {
  const { request, places, key } = access;
  const { cache } = request;
  const { start, sizeBytes, validator } = web;
  const missing = sizeBytes === undefined ? 0 : sizeBytes - start;
  const room = { cacheBytes: missing, diskBytes: missing + (sizeBytes ?? 0) };
  let part: PartWriter | undefined;
  const resumable = web.canResume && sizeBytes !== undefined ? { validator, sizeBytes } : undefined;
  if (mayBeStored(web, request) && (await makeRoom(cache, room, key).catch(() => false))) {
    part = await writePart(places, key, start, resumable).catch(() => undefined);
  }
  if (!part && start === 0) {
    dropPart(places, key);
    return fromWeb(web);
  }
  async function* chunks(): AsyncGenerator<Buffer> {
    if (start > 0) yield* partBytes(places, key, start);
    for await (const chunk of web.chunks) {
      if (part && !(await isTaken(part, chunk, access, sizeBytes === undefined))) {
        await part.drop();
        part = undefined;
      }
      yield chunk;
    }
  }
  return {
    chunks: chunks(),
    sizeBytes,
    holdsLock: true,
    kept: async (sums, bytes) => {
      try {
        await part?.publish(sums.sha256);
        if (part) record(places, key, { request, sums, sizeBytes: bytes, web });
        if (part) await makeRoom(cache, { cacheBytes: 0, diskBytes: 0 }, key);
      } catch (error) {
        // The job has its file: what the cache lacks is downloaded again.
        request.onNote?.(`not kept for other jobs: ${(error as Error).message}`);
        await part?.drop();
      } finally {
        release();
      }
    },
    failed: async (error) => {
      web.close();
      const isSpoilt = isAboutBytes(error);
      await (resumable && !isSpoilt ? part?.leave() : part?.drop());
      release();
      return isSpoilt && start > 0;
    },
  };
}

/** Writes a piece; false when the cache has no room for it any more: the download goes on without. */
async function isTaken(
  part: PartWriter,
  chunk: Buffer,
  { request: { cache, onNote }, key }: Access,
  isEndless: boolean,
): Promise<boolean> {
  try {
    const { isStepDone } = await part.write(chunk);
    if (!isStepDone || !isEndless) return true;
    if (await makeRoom(cache, { cacheBytes: 0, diskBytes: 0 }, key)) return true;
  } catch {
    // A disk that is full or broken is no reason to end the job.
  }
  onNote?.("the worker's cache can't take it: the download goes on without");
  return false;
}

function record(
  places: CachePlaces,
  key: string,
  {
    request,
    sums,
    sizeBytes,
    web,
  }: { request: CachedRequest; sums: Sums; sizeBytes: number; web: WebFile },
): void {
  writeEntry(places, key, {
    sums,
    sizeBytes,
    validator: web.validator,
    shown: shownUrl(request.url),
    isOpen: isOpenTo(request, web),
    id: randomUUID(),
  });
}

/** Of what the bytes are, not of how they came or where they went. */
const isAboutBytes = (error: unknown): boolean =>
  error instanceof JobFailure && error.type === "Job";

/** The key's lock as soon as nobody else has it; "stuck" when whoever has it gets nowhere. Shows how far they are. */
async function lockOrWait({
  request,
  places,
  key,
}: Access): Promise<{ release: () => void; hasWaited: boolean } | "stuck"> {
  const { signal, onProgress, onNote, stuckMs = STUCK_MS } = request;
  let seenBytes = -1;
  let sinceMs = performance.now();
  for (let hasWaited = false; ; hasWaited = true) {
    const release = tryLock(places.locks, key);
    if (release) return { release, hasWaited };
    if (!hasWaited) onNote?.("another job of this worker is downloading it: waiting");
    const bytes = partSize(places, key);
    if (bytes !== seenBytes) {
      seenBytes = bytes;
      sinceMs = performance.now();
      if (bytes > 0) onProgress?.(bytes, readPart(places, key)?.sizeBytes);
    }
    if (performance.now() - sinceMs > stuckMs) {
      onNote?.("the other download gets nowhere: downloading it for this job alone");
      return "stuck";
    }
    await sleep(50 + Math.random() * 100, undefined, { signal }).catch(() =>
      signal?.throwIfAborted(),
    );
  }
}
