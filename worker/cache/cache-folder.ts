import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, statSync, utimesSync } from "node:fs";
import path from "node:path";
import { readJsonFile, writeFileAtomic } from "../host/atomic-file.ts";
import type { Sums } from "../host/download-source.ts";
import type { Validator } from "../host/web-file.ts";

/**
 * The folder of cached downloads, shared by all processes of a worker:
 *
 *     entries/KEY.json     what a URL had when it was asked last: `CacheEntry`; its time is that of its last use
 *     files/SHA256         the bytes, as they came; several entries may have the same
 *     parts/KEY, KEY.json  a download that isn't whole yet, and what it is a part of (part-file.ts)
 *     locks/KEY.…          who is busy with a key (key-lock.ts)
 *
 * Files are replaced by rename and read through open descriptors, so that nobody needs a lock to read or to remove.
 */
export interface CachePlaces {
  readonly folder: string;
  readonly entries: string;
  readonly files: string;
  readonly parts: string;
  readonly locks: string;
}

export const cachePlaces = (folder: string): CachePlaces => ({
  folder,
  entries: path.join(folder, "entries"),
  files: path.join(folder, "files"),
  parts: path.join(folder, "parts"),
  locks: path.join(folder, "locks"),
});

export interface CacheEntry {
  readonly sums: Sums;
  readonly sizeBytes: number;
  readonly validator: Validator;
  /** For people: the URL without password and query. */
  readonly shown: string;
  /** Any job that names the checksum may have it: it was to be had by everybody who knew its plain URL. */
  readonly isOpen: boolean;
  /** Another one each time the file was downloaded. */
  readonly id: string;
}

/** One key per URL and what the job sends with it: a token's file is for those who have the token. */
export function cacheKey(url: string, headers: Readonly<Record<string, string>> = {}): string {
  const sent = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  const sorted = sent.sort(([a = ""], [b = ""]) => (a < b ? -1 : 1));
  return createHash("sha256")
    .update(JSON.stringify([url, sorted]))
    .digest("hex");
}

/** The entry, or undefined when there is none or it isn't one (a disk after a power cut). */
export function readEntry({ entries }: CachePlaces, key: string): CacheEntry | undefined {
  const found = readJsonFile(path.join(entries, `${key}.json`)) as Partial<CacheEntry> | undefined;
  if (!/^[0-9a-f]{64}$/.test(found?.sums?.sha256 ?? "") || typeof found?.sizeBytes !== "number")
    return;
  return { validator: {}, shown: "?", isOpen: false, id: "", ...found } as CacheEntry;
}

export function writeEntry({ entries }: CachePlaces, key: string, entry: CacheEntry): void {
  mkdirSync(entries, { recursive: true, mode: 0o700 });
  writeFileAtomic(path.join(entries, `${key}.json`), JSON.stringify(entry));
}

export interface Listed {
  readonly key: string;
  readonly entry: CacheEntry;
  readonly lastUsedMs: number;
}

/** All entries, the least recently used first. */
export function listEntries(places: CachePlaces): Listed[] {
  return namesIn(places.entries)
    .flatMap((name) => {
      const [, key] = /^([0-9a-f]{64})\.json$/.exec(name) ?? [];
      if (key === undefined) return [];
      const entry = readEntry(places, key);
      const lastUsedMs = statSync(path.join(places.entries, name), {
        throwIfNoEntry: false,
      })?.mtimeMs;
      return entry && lastUsedMs !== undefined ? [{ key, entry, lastUsedMs }] : [];
    })
    .sort((a, b) => a.lastUsedMs - b.lastUsedMs);
}

/** Says that an entry was used now; one that has gone stays gone. */
export function touchEntry({ entries }: CachePlaces, key: string): void {
  const now = new Date();
  try {
    utimesSync(path.join(entries, `${key}.json`), now, now);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/** Forgets an entry, and its bytes unless another entry has the same ones; `isSpoilt`: in any case. */
export function dropEntry(places: CachePlaces, key: string, isSpoilt = false): void {
  const entry = readEntry(places, key);
  rmSync(path.join(places.entries, `${key}.json`), { force: true });
  if (!entry) return;
  const isShared = () =>
    listEntries(places).some((one) => one.entry.sums.sha256 === entry.sums.sha256);
  if (isSpoilt || !isShared()) rmSync(path.join(places.files, entry.sums.sha256), { force: true });
}

/** Names in a folder, none when there is no such folder. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
