import { rmSync, statSync } from "node:fs";
import { statfs } from "node:fs/promises";
import path from "node:path";
import { type CachePlaces, cachePlaces, listEntries, namesIn } from "./cache-folder.ts";
import { isLocked } from "./key-lock.ts";
import { dropPart } from "./part-file.ts";

/** A worker's cache of downloads. */
export interface DownloadCache {
  readonly folder: string;
  readonly limitBytes: number;
  /** Room on the disk that the cache leaves to others; 256 MiB when not given. */
  readonly reserveBytes?: number | undefined;
}

const RESERVE_BYTES = 256 * 1024 * 1024;

/** All of them are looked at for each download, which a small board should do within a second. */
const MAX_ITEMS = 2000;

/**
 * Removes what was used longest ago until the cache may take `cacheBytes` more and the disk has `diskBytes` more to
 * give. Nothing of `keep` and no download that is under way. False when there is not enough room then. A file that is
 * being read is read to its end: its bytes go when it is closed.
 */
export async function makeRoom(
  cache: DownloadCache,
  { cacheBytes, diskBytes }: { readonly cacheBytes: number; readonly diskBytes: number },
  keep: string | undefined,
): Promise<boolean> {
  const places = cachePlaces(cache.folder);
  const { items, usedBytes } = contents(places);
  let used = usedBytes;
  let count = items.length;
  let free = await freeBytes(cache.folder);
  const reserve = cache.reserveBytes ?? RESERVE_BYTES;
  const isEnough = (): boolean =>
    used + cacheBytes <= cache.limitBytes && free - diskBytes >= reserve && count <= MAX_ITEMS;
  for (const item of items) {
    if (isEnough()) return true;
    if (item.key === keep || (item.isPart && isLocked(places.locks, item.key))) continue;
    const freed = item.remove();
    used -= freed;
    count--;
    free += freed;
  }
  return isEnough();
}

interface Item {
  readonly key: string;
  readonly isPart: boolean;
  readonly lastUsedMs: number;
  /** Bytes that were set free. */
  readonly remove: () => number;
}

/** Entries, parts and files that nobody names, the least recently used first, and the bytes of all. */
export function contents(places: CachePlaces): { items: Item[]; usedBytes: number } {
  const files = sizes(places.files);
  const parts = sizes(places.parts);
  const users = new Map<string, number>();
  const entries = listEntries(places);
  for (const { entry } of entries)
    users.set(entry.sums.sha256, (users.get(entry.sums.sha256) ?? 0) + 1);
  const removeFile = (sha256: string): number => {
    rmSync(path.join(places.files, sha256), { force: true });
    return files.get(sha256)?.bytes ?? 0;
  };
  const items: Item[] = entries.map(({ key, entry, lastUsedMs }) => ({
    key,
    isPart: false,
    lastUsedMs,
    remove: () => {
      rmSync(path.join(places.entries, `${key}.json`), { force: true });
      const { sha256 } = entry.sums;
      const left = (users.get(sha256) ?? 1) - 1;
      users.set(sha256, left);
      return left === 0 ? removeFile(sha256) : 0;
    },
  }));
  for (const [name, { lastUsedMs }] of files) {
    if (users.has(name)) continue;
    items.push({ key: name, isPart: false, lastUsedMs, remove: () => removeFile(name) });
  }
  for (const [name, { bytes, lastUsedMs }] of parts) {
    const key = name.replace(/\..*$/, "");
    const remove = (): number => (dropPart(places, key), bytes);
    items.push({ key, isPart: true, lastUsedMs, remove });
  }
  const usedBytes = [...files.values(), ...parts.values()].reduce(
    (sum, { bytes }) => sum + bytes,
    0,
  );
  return { items: items.sort((a, b) => a.lastUsedMs - b.lastUsedMs), usedBytes };
}

function sizes(folder: string): Map<string, { bytes: number; lastUsedMs: number }> {
  return new Map(
    namesIn(folder).flatMap((name) => {
      const found = statSync(path.join(folder, name), { throwIfNoEntry: false });
      return found ? [[name, { bytes: found.size, lastUsedMs: found.mtimeMs }] as const] : [];
    }),
  );
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
