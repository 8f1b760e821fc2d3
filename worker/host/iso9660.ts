import { open, type FileHandle } from "node:fs/promises";
import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { JobFailure } from "../pipeline/job-failure.ts";

const SECTOR = 2048;
/** A folder of an installer's disc is a few sectors; the image is the job's and may say anything. */
const MAX_FOLDER_BYTES = 8 << 20;

/**
 * Copies one file out of an ISO 9660 image, by its path: Rock Ridge names where the image has them, else the plain ones
 * in either case.
 *
 * @throws JobFailure Job when it isn't such an image, or has no such file.
 */
export async function extractFromIso(iso: string, name: string, target: string): Promise<void> {
  const file = await open(iso);
  try {
    const found = await lookUp(file, name);
    const { size } = await file.stat();
    if (found.start + found.bytes > size) throw damaged(`${name} lies behind its end`);
    const end = found.start + found.bytes - 1;
    if (found.bytes === 0) return await (await open(target, "w")).close();
    await pipeline(createReadStream(iso, { start: found.start, end }), createWriteStream(target));
  } finally {
    await file.close();
  }
}

interface IsoEntry {
  readonly name: string;
  readonly isFolder: boolean;
  readonly start: number;
  readonly bytes: number;
}

async function lookUp(file: FileHandle, name: string): Promise<IsoEntry> {
  const descriptor = await readAt(file, 16 * SECTOR, SECTOR);
  if (descriptor.toString("latin1", 1, 6) !== "CD001" || descriptor.readUInt8(0) !== 1) {
    throw damaged("it has no volume descriptor");
  }
  let here = entryAt(descriptor, 156, 0);
  let names = "";
  for (const part of name.split("/").filter((word) => word !== "")) {
    const entries = here?.isFolder ? await entriesOf(file, here) : [];
    names = entries.map((entry) => entry.name).join(", ");
    here =
      entries.find((entry) => entry.name === part) ??
      entries.find((entry) => entry.name.toLowerCase() === part.toLowerCase());
    if (!here) break;
  }
  if (here && !here.isFolder) return here;
  throw new JobFailure("Job", `the ISO has no file ${name} (beside it: ${names.slice(0, 300)})`);
}

async function entriesOf(file: FileHandle, folder: IsoEntry): Promise<IsoEntry[]> {
  if (folder.bytes > MAX_FOLDER_BYTES) throw damaged("a folder is too large");
  const bytes = await readAt(file, folder.start, folder.bytes);
  const skip = systemUseSkip(bytes);
  const entries: IsoEntry[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt8(at);
    // Records don't cross sectors: the rest of one may be empty.
    if (length === 0) at = (Math.floor(at / SECTOR) + 1) * SECTOR;
    else {
      const entry = entryAt(bytes, at, skip);
      if (entry && entry.name !== "" && entry.name !== "\x01") entries.push(entry);
      at += length;
    }
  }
  return entries;
}

function entryAt(bytes: Buffer, at: number, skip: number): IsoEntry | undefined {
  const length = bytes.readUInt8(at);
  if (length < 34 || at + length > bytes.length) return undefined;
  const record = bytes.subarray(at, at + length);
  const nameBytes = record.readUInt8(32);
  if (33 + nameBytes > length) return undefined;
  const plain = record.toString("latin1", 33, 33 + nameBytes).replace(/\.?;\d+$/, "");
  const isSelf = nameBytes === 1 && record.readUInt8(33) === 0;
  const use = record.subarray(33 + nameBytes + (nameBytes % 2 === 0 ? 1 : 0) + skip);
  return {
    name: isSelf ? "" : (rockRidgeName(use) ?? plain),
    isFolder: (record.readUInt8(25) & 2) !== 0,
    start: record.readUInt32LE(2) * SECTOR,
    bytes: record.readUInt32LE(10),
  };
}

/** The name in the fields `NM` of a record's system use area (IEEE P1282), all of its parts. */
function rockRidgeName(use: Buffer): string | undefined {
  let name: string | undefined;
  for (let at = 0; at + 4 <= use.length;) {
    const length = use.readUInt8(at + 2);
    if (length < 4 || at + length > use.length) break;
    if (use.toString("latin1", at, at + 2) === "NM" && length > 5) {
      name = (name ?? "") + use.toString("utf8", at + 5, at + length);
    }
    at += length;
  }
  return name;
}

/** How many bytes a system use area begins with that aren't its own (field `SP` of the first record). */
function systemUseSkip(bytes: Buffer): number {
  const length = bytes.length > 0 ? bytes.readUInt8(0) : 0;
  const use = bytes.subarray(34, length);
  return use.length >= 7 && use.toString("latin1", 0, 2) === "SP" ? use.readUInt8(6) : 0;
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  if (bytesRead < length) throw damaged("it ends too early");
  return buffer;
}

const damaged = (why: string): JobFailure =>
  new JobFailure("Job", `expected an ISO 9660 image: ${why}`);
