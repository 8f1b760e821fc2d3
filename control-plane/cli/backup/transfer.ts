import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { BackupBlob } from "#protocol/backup.ts";
import { ClientError } from "../client.ts";
import { fetchFault } from "../fetch-fault.ts";
import { blobFile, sha256Of, writeWhole, type BlobLine } from "./backup-folder.ts";

/** Blobs on their way at a time. */
const ABREAST = 8;
const TIMEOUT_MS = 120_000;
const ATTEMPTS = 6;
const FIRST_PAUSE_MS = 200;
/** No blob of a lab is larger. */
const MAX_BLOB_BYTES = 64 * 1024 * 1024;

/** A signed link that is not good any more: ask for a new one. */
export class LinkExpired extends Error {
  override readonly name = "LinkExpired";
}

export interface Place {
  /** Of the control plane: links may be relative to it. */
  readonly base: string;
  readonly dir: string;
  readonly signal: AbortSignal;
  /** How long one exchange may take; two minutes when not given. */
  readonly timeoutMs?: number;
}

/** Brings blobs into the folder, but those which are there. Throws `LinkExpired`, ClientError. */
export const fetchBlobs = (place: Place, blobs: readonly BackupBlob[]): Promise<BlobLine[]> =>
  abreast(blobs, (blob) => fetchBlob(place, blob));

async function fetchBlob(place: Place, blob: BackupBlob): Promise<BlobLine> {
  const { key, url, bytes = 0, sha256 } = blob;
  const file = blobFile(place.dir, key);
  if (url === undefined) return { key, missing: "the lab does not have it any more" };
  if (bytes > MAX_BLOB_BYTES) return { key, missing: `it has ${bytes} bytes` };
  const fits = (content: Uint8Array) =>
    content.length === bytes && (sha256 === undefined || sha256Of(content) === sha256);
  const here = existsSync(file) ? readFileSync(file) : undefined;
  // A blob never changes, and a file is there whole or not at all.
  if (here && fits(here)) return { key, bytes, sha256: sha256Of(here) };
  const content = await request(place, url, { headers: blob.headers ?? {} });
  if (!fits(content)) return { key, missing: "the lab's copy is damaged" };
  writeWhole(file, content);
  return { key, bytes, sha256: sha256Of(content) };
}

/** Brings one blob of the folder to where a link says. Throws `LinkExpired`, ClientError. */
export async function putBlob(
  place: Place,
  { url, headers = {} }: { url: string; headers?: Record<string, string> | undefined },
  content: Uint8Array,
): Promise<void> {
  // The length that S3 wants signed is the body's, which `fetch` says itself.
  const { "content-length": _, ...others } = headers;
  const body = content as Uint8Array<ArrayBuffer>;
  await request(place, url, { method: "PUT", headers: others, body });
}

/** Runs `work` on all, a few at a time; the results are in the order of the list. */
export async function abreast<T, R>(
  list: readonly T[],
  work: (one: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const runner = async (): Promise<void> => {
    for (let index = next++; index < list.length; index = next++) {
      try {
        results[index] = await work(list[index]!);
      } catch (error) {
        // The others end with what they have in hand.
        next = list.length;
        throw error;
      }
    }
  };
  // Not before all have: what is on its way would be fetched once more by whoever begins again.
  const ends = await Promise.allSettled(
    Array.from({ length: Math.min(ABREAST, list.length) }, runner),
  );
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  return results;
}

/** No token goes with it: the link is all that is needed, and it may lead to a storage service. */
async function request(
  { base, signal, timeoutMs = TIMEOUT_MS }: Place,
  url: string,
  init: RequestInit,
): Promise<Uint8Array> {
  const target = new URL(url, base);
  for (let attempt = 1; ; attempt++) {
    let problem: string;
    try {
      const { answer, content } = await exchange(target, init, { signal, timeoutMs });
      if (answer.ok) return content;
      problem = `it answered ${answer.status}`;
      if (answer.status === 403) throw new LinkExpired(`${target.host}: ${problem}`);
      const mayPass = answer.status >= 500 || answer.status === 429;
      if (!mayPass) throw new ClientError(`${target.host}${target.pathname}: ${problem}`);
    } catch (error) {
      if (signal.aborted || error instanceof ClientError || error instanceof LinkExpired)
        throw error;
      problem = fetchFault(error).why;
    }
    if (attempt === ATTEMPTS) {
      throw new ClientError(`${target.host}${target.pathname} can't be reached: ${problem}`);
    }
    await sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1), undefined, { signal });
  }
}

/** Its own timer ends with it: there may be many thousands of these, and a signal's timer is kept to its end. */
async function exchange(
  target: URL,
  init: RequestInit,
  { signal, timeoutMs }: Required<Pick<Place, "signal" | "timeoutMs">>,
) {
  signal.throwIfAborted();
  const stop = new AbortController();
  const abort = () => stop.abort(signal.reason);
  const late = () => stop.abort(new Error(`no answer within ${timeoutMs / 1000} s`));
  const timer = setTimeout(late, timeoutMs);
  signal.addEventListener("abort", abort);
  try {
    const answer = await fetch(target, { ...init, redirect: "error", signal: stop.signal });
    return { answer, content: new Uint8Array(await answer.arrayBuffer()) };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}

/** Does it again with new links while they run out, as long as that is not in vain. */
export async function withFreshLinks<T>(work: () => Promise<T>): Promise<T> {
  for (let left = 5; ; left--) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof LinkExpired)) throw error;
      if (left === 1)
        throw new ClientError(`${error.message}: is the clock of this machine right?`);
    }
  }
}
