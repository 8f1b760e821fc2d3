import { randomBytes } from "node:crypto";
import * as v from "valibot";
import {
  BACKUP_FORMAT,
  backupPageSchema,
  labStateSchema,
  type BackupPage,
} from "#protocol/backup.ts";
import { VERSION } from "#protocol/version.ts";
import { ClientError, type Client } from "../client.ts";
import { UsageError, type Context } from "../command.ts";
import { isEmptyDirectory } from "../lab-directory/write-lab-directory.ts";
import {
  blobLineSchema,
  findManifest,
  readLines,
  writeLines,
  writeManifest,
  type BlobLine,
  type Manifest,
} from "./backup-folder.ts";
import { readAnswer } from "./read-answer.ts";
import { fetchBlobs, withFreshLinks } from "./transfer.ts";

/** A file of items ends when it has so many, or so many characters. */
const ITEMS_PER_FILE = 10_000;
const CHARS_PER_FILE = 16_000_000;

interface Run {
  readonly context: Context;
  readonly client: Client;
  readonly dir: string;
  readonly itemsPerFile: number;
  manifest: Manifest;
  next: NonNullable<Manifest["next"]>;
  /** What the next two files get. */
  items: string[];
  blobs: BlobLine[];
  chars: number;
  /** Keys that need not be listed again. */
  listed: Set<string>;
}

/**
 * Writes a backup of the whole lab into a folder that is new, empty, or has a backup that was cut: that one goes on. With `close`
 * the lab takes nothing new from now on.
 */
export async function makeBackup(
  context: Context,
  dir: string,
  { close, itemsPerFile = ITEMS_PER_FILE }: { close: boolean; itemsPerFile?: number },
): Promise<Manifest> {
  const client = context.client("patient");
  const old = resumable(dir, client);
  if (close) await client.json("PUT", "/backup/closed");
  const state = readAnswer(client, labStateSchema, await client.json("GET", "/backup/state"));
  const closed = state.closed === "move";
  if (old?.closed && !closed) {
    throw new UsageError(
      `${dir}: the lab was opened again after this backup was begun; begin a new one in another directory`,
    );
  }
  const manifest = old ?? (await newManifest(client, closed));
  const next = manifest.next ?? { scanned: false, again: [] };
  const fresh = { items: [], blobs: [], chars: 0, listed: new Set<string>() };
  const run: Run = { context, client, dir, itemsPerFile, manifest, next, ...fresh };
  if (!old) writeManifest(dir, manifest);
  await readPages(run);
  await readAgain(run);
  return end(run);
}

async function newManifest(client: Client, closed: boolean): Promise<Manifest> {
  const health = await client.json<{ version?: string; engine?: string }>("GET", "/health");
  // The lab's own clock, and whether we may read it at all.
  const { time } = await page(client, "/backup/items");
  return {
    format: BACKUP_FORMAT,
    id: randomBytes(8).toString("hex"),
    pumice: health.version ?? VERSION,
    engine: health.engine ?? "unknown",
    from: client.url,
    begun: time,
    closed,
    files: [],
    counts: { items: 0, blobs: 0, blob_bytes: 0, missing_blobs: 0 },
    next: { scanned: false, again: [] },
    complete: false,
  };
}

/** The backup in the folder that can go on; undefined for a new one. */
function resumable(dir: string, client: Client): Manifest | undefined {
  const found = findManifest(dir);
  if (!found) {
    if (isEmptyDirectory(dir)) return undefined;
    throw new UsageError(`${dir} is not empty: name another directory`);
  }
  if (found.complete) {
    throw new UsageError(`${dir} has a complete backup of ${found.begun}: name another directory`);
  }
  if (found.from !== client.url) {
    throw new UsageError(
      `${dir} has the beginning of a backup of ${found.from}, not of ${client.url}`,
    );
  }
  // What was written is what it says, or there is no use in going on.
  for (const file of found.files) readLines(dir, file, v.any());
  return found;
}

async function readPages(run: Run): Promise<void> {
  const { manifest, next } = run;
  const query = (cursor?: string) =>
    new URLSearchParams({ since: manifest.begun, ...(cursor === undefined ? {} : { cursor }) });
  while (!next.scanned) {
    const where = `/backup/items?${query(next.cursor).toString()}`;
    const { again, cursor } = await take(run, where);
    next.again.push(...again);
    if (cursor === undefined) {
      next.scanned = true;
      delete next.cursor;
    } else next.cursor = cursor;
    if (isFull(run) || next.scanned) flush(run);
  }
}

/** Jobs that were in motion, each of one moment now. */
async function readAgain(run: Run): Promise<void> {
  run.listed = listedOf(run);
  for (let id = run.next.again[0]; id !== undefined; id = run.next.again[0]) {
    try {
      let cursor: string | undefined;
      do {
        const query = cursor === undefined ? "" : `?cursor=${encodeURIComponent(cursor)}`;
        ({ cursor } = await take(run, `/backup/jobs/${id}${query}`));
        // The rest of it comes with the next file; after a cut the whole job comes again.
        if (isFull(run)) flush(run);
      } while (cursor !== undefined);
    } catch (error) {
      // Its time was over meanwhile.
      if (!(error instanceof ClientError && error.status === 404)) throw error;
    }
    run.next.again.shift();
  }
}

/** Blobs that the pages named of the jobs which are to be read again. */
function listedOf({ dir, manifest, next }: Run): Set<string> {
  const again = new Set(next.again);
  const listed = new Set<string>();
  for (const file of manifest.files.filter(({ name }) => name.startsWith("blobs-"))) {
    for (const { key } of readLines(dir, file, blobLineSchema)) {
      if (again.has(Number(key.split("/")[1]))) listed.add(key);
    }
  }
  return listed;
}

/** One page with its blobs. */
async function take(run: Run, where: string): Promise<BackupPage> {
  const { client, dir, context } = run;
  const { signal } = context;
  return withFreshLinks(async () => {
    const taken = await page(client, where);
    const wanted = taken.blobs.filter(({ key }) => !run.listed.has(key));
    const blobs = await fetchBlobs({ base: client.url, dir, signal }, wanted);
    for (const item of taken.items) {
      const line = JSON.stringify(item);
      run.items.push(line);
      run.chars += line.length;
    }
    run.blobs.push(...blobs);
    tell(run);
    return taken;
  });
}

const page = async (client: Client, where: string): Promise<BackupPage> =>
  readAnswer(client, backupPageSchema, await client.json("GET", where));

const isFull = ({ items, chars, itemsPerFile }: Run): boolean =>
  items.length >= itemsPerFile || chars >= CHARS_PER_FILE;

/** Writes what was taken, and then how to go on from there. */
function flush(run: Run): void {
  const { dir, manifest, items, blobs } = run;
  if (items.length > 0) {
    const number = String(manifest.files.length / 2 + 1).padStart(5, "0");
    manifest.files.push(
      writeLines(
        dir,
        `blobs-${number}.jsonl.gz`,
        blobs.map((blob) => JSON.stringify(blob)),
      ),
      writeLines(dir, `items-${number}.jsonl.gz`, items),
    );
    manifest.counts = countsOf(run);
    Object.assign(run, { items: [], blobs: [], chars: 0 });
    const { terminal } = run.context;
    if (!terminal.progress) terminal.say(said(manifest.counts));
  }
  manifest.next = run.next;
  writeManifest(dir, manifest);
}

function countsOf({ manifest: { counts }, items, blobs }: Run): Manifest["counts"] {
  const there = blobs.filter((blob) => "bytes" in blob);
  return {
    items: counts.items + items.length,
    blobs: counts.blobs + there.length,
    blob_bytes: there.reduce((sum, { bytes }) => sum + bytes, counts.blob_bytes),
    missing_blobs: counts.missing_blobs + blobs.length - there.length,
  };
}

function end(run: Run): Manifest {
  flush(run);
  const { next: _, ...manifest } = run.manifest;
  const whole = { ...manifest, ended: new Date().toISOString(), complete: true };
  writeManifest(run.dir, whole);
  return whole;
}

const tell = (run: Run): void => run.context.terminal.progress?.(said(countsOf(run)));

/** For people. */
export const said = ({ items, blobs, blob_bytes }: Manifest["counts"]): string =>
  `items: ${items}, files of jobs: ${blobs}, ${(blob_bytes / 1e6).toFixed(1)} MB`;
