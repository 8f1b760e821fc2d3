import { createReadStream, rmSync, statSync } from "node:fs";
import { mkdir, open, rename } from "node:fs/promises";
import path from "node:path";
import { readJsonFile, writeFileAtomic } from "../host/atomic-file.ts";
import { identityOf } from "../host/process-table.ts";
import type { Validator } from "../host/web-file.ts";
import type { CachePlaces } from "./cache-folder.ts";

/** The beginning of a file, from a download that ended early. */
export interface Part {
  readonly bytes: number;
  readonly validator: Validator;
  readonly sizeBytes: number;
}

interface PartInfo {
  readonly validator: Validator;
  readonly sizeBytes: number;
  /** Which boot of this machine wrote it. */
  readonly boot: string;
  /** So much has reached the disk; after a power cut the rest of the file may be anything. */
  readonly syncedBytes: number;
}

const SYNC_BYTES = 16 * 1024 * 1024;

/** What is here of a file, as far as it can be trusted; undefined when nothing is. */
export function readPart(places: CachePlaces, key: string): Part | undefined {
  const file = path.join(places.parts, key);
  const info = readJsonFile(`${file}.json`) as Partial<PartInfo> | undefined;
  const size = partSize(places, key);
  if (!info?.validator || info.sizeBytes === undefined) return undefined;
  const bytes = info.boot === bootId() ? size : Math.min(size, info.syncedBytes ?? 0);
  if (bytes === 0 || bytes >= info.sizeBytes) return undefined;
  return { bytes, validator: info.validator, sizeBytes: info.sizeBytes };
}

/** How far a download is that is under way, whether anybody could go on with it or not. */
export const partSize = (places: CachePlaces, key: string): number =>
  statSync(path.join(places.parts, key), { throwIfNoEntry: false })?.size ?? 0;

/** Bytes of a part, from its beginning. */
export const partBytes = (places: CachePlaces, key: string, bytes: number): AsyncIterable<Buffer> =>
  createReadStream(path.join(places.parts, key), { end: bytes - 1, highWaterMark: 256 * 1024 });

export function dropPart({ parts }: CachePlaces, key: string): void {
  rmSync(path.join(parts, `${key}.json`), { force: true });
  rmSync(path.join(parts, key), { force: true });
}

export interface PartWriter {
  /** Appends; tells when so much was written that room should be looked for. */
  write(chunk: Buffer): Promise<{ readonly isStepDone: boolean }>;
  /** Leaves what there is to whoever goes on. */
  leave(): Promise<void>;
  drop(): Promise<void>;
  /** Makes the whole file the one of this sum, safe from a power cut. */
  publish(sha256: string): Promise<void>;
}

/**
 * Goes on writing a part behind `start`. `validator` and `sizeBytes` are kept beside it, so that another process can go
 * on; without them it is of use to nobody else.
 */
export async function writePart(
  places: CachePlaces,
  key: string,
  start: number,
  resumable: Pick<Part, "validator" | "sizeBytes"> | undefined,
): Promise<PartWriter> {
  await mkdir(places.parts, { recursive: true, mode: 0o700 });
  const file = path.join(places.parts, key);
  // What it is a part of is said before the first byte, and never of older bytes.
  if (start === 0) dropPart(places, key);
  const handle = await open(file, start === 0 ? "w" : "r+", 0o600);
  let at = start;
  let syncedBytes = start;
  const tell = (): void => {
    if (resumable === undefined) return;
    const info: PartInfo = { ...resumable, boot: bootId(), syncedBytes };
    writeFileAtomic(`${file}.json`, JSON.stringify(info));
  };
  const close = (): Promise<void> => handle.close().catch(() => {});
  try {
    await handle.truncate(start);
    await handle.datasync();
    tell();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    write: async (chunk) => {
      for (let done = 0; done < chunk.length;) {
        const { bytesWritten } = await handle.write(chunk, done, chunk.length - done, at);
        done += bytesWritten;
        at += bytesWritten;
      }
      if (at - syncedBytes < SYNC_BYTES) return { isStepDone: false };
      await handle.datasync();
      syncedBytes = at;
      tell();
      return { isStepDone: true };
    },
    leave: close,
    drop: async () => {
      await close();
      dropPart(places, key);
    },
    publish: async (sha256) => {
      await handle.sync();
      await handle.close();
      await mkdir(places.files, { recursive: true, mode: 0o700 });
      await rename(file, path.join(places.files, sha256));
      dropPart(places, key);
    },
  };
}

const bootId = (): string => identityOf(process.pid)?.started.split("@")[1] ?? "";
