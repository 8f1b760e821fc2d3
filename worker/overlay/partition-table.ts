import { open, type FileHandle } from "node:fs/promises";
import { JobFailure } from "../pipeline/job-failure.ts";

/** A part of a disk image, in bytes from its start. */
export interface ImagePart {
  readonly offset: number;
  readonly bytes: number;
}

/**
 * The part of a disk image that a job means by `root_partition` (from 0, in the order of partition numbers; an
 * extended partition counts, as it does for the kernel), or all of it when the job names none.
 *
 * @throws JobFailure Job when there is no such partition; the message says which there are.
 */
export async function imagePart(image: string, index: number | undefined): Promise<ImagePart> {
  const file = await open(image);
  try {
    const { size } = await file.stat();
    if (index === undefined) return { offset: 0, bytes: size };
    const parts = await partitions(file, size);
    const part = parts[index];
    if (part) return part;
    const there = parts.map(({ bytes }, n) => `${n}: ${Math.round(bytes / 1024)} KiB`).join(", ");
    throw new JobFailure(
      "Job",
      `partition ${index} of the image: expected one of those it has, counted from 0 (${there || "it has no partition table"})`,
    );
  } finally {
    await file.close();
  }
}

/** The partitions of a disk, MBR or GPT, in the order of their numbers; empty when there is no table. */
export async function partitions(file: FileHandle, size: number): Promise<ImagePart[]> {
  const mbr = await readAt(file, 0, SECTOR);
  if (mbr.readUInt16LE(510) !== 0xaa55) return [];
  for (const sector of [512, 4096]) {
    const header = await readAt(file, sector, 92);
    if (header.toString("latin1", 0, 8) === "EFI PART") {
      return (await gpt(file, header, sector)).filter((part) => isInside(part, size));
    }
  }
  const [primary, chain] = [mbrEntries(mbr), [] as ImagePart[]];
  const extended = primary.find(({ type }) => EXTENDED.has(type));
  if (extended) chain.push(...(await logical(file, extended.start)));
  return [...primary.map(partOf), ...chain].filter((part) => isInside(part, size));
}

const SECTOR = 512;
const EXTENDED = new Set([0x05, 0x0f, 0x85]);
/** As many as the kernel would number; a damaged chain has no end. */
const MAX_PARTITIONS = 128;

interface MbrEntry {
  readonly type: number;
  /** In sectors of 512 bytes. */
  readonly start: number;
  readonly sectors: number;
}

const mbrEntries = (sector: Buffer): MbrEntry[] =>
  [446, 462, 478, 494]
    .map((at) => ({
      type: sector.readUInt8(at + 4),
      start: sector.readUInt32LE(at + 8),
      sectors: sector.readUInt32LE(at + 12),
    }))
    .filter(({ type, sectors }) => type !== 0 && sectors > 0);

const partOf = ({ start, sectors }: MbrEntry): ImagePart => ({
  offset: start * SECTOR,
  bytes: sectors * SECTOR,
});

/** A chain of tables in the extended partition, each with one partition and where the next table is. */
async function logical(file: FileHandle, first: number): Promise<ImagePart[]> {
  const found: ImagePart[] = [];
  let table = first;
  // Tables are counted, not partitions: one that names only itself as the next would never end.
  for (let tables = 0; tables < MAX_PARTITIONS; tables++) {
    const sector = await readAt(file, table * SECTOR, SECTOR);
    if (sector.readUInt16LE(510) !== 0xaa55) break;
    const entries = mbrEntries(sector);
    const here = entries.find(({ type }) => !EXTENDED.has(type));
    if (here) found.push(partOf({ ...here, start: table + here.start }));
    const next = entries.find(({ type }) => EXTENDED.has(type));
    if (!next || next.start === 0) break;
    table = first + next.start;
  }
  return found;
}

async function gpt(file: FileHandle, header: Buffer, sector: number): Promise<ImagePart[]> {
  const entryBytes = header.readUInt32LE(84);
  const count = Math.min(header.readUInt32LE(80), MAX_PARTITIONS);
  if (entryBytes < 128 || entryBytes > 4096) return [];
  const table = await readAt(file, Number(header.readBigUInt64LE(72)) * sector, count * entryBytes);
  return Array.from({ length: count }, (_, n) => table.subarray(n * entryBytes))
    .filter((entry) => entry.subarray(0, 16).some((byte) => byte !== 0))
    .map((entry) => {
      const first = Number(entry.readBigUInt64LE(32));
      const last = Number(entry.readBigUInt64LE(40));
      return { offset: first * sector, bytes: (last - first + 1) * sector };
    });
}

/** What reaches out of the image can't be what the job means; the image is the job's and may say anything. */
const isInside = ({ offset, bytes }: ImagePart, size: number): boolean =>
  offset > 0 && bytes > 0 && offset + bytes <= size;

/** Zeros stand for what is behind the end. */
async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  if (Number.isSafeInteger(position)) await file.read(buffer, 0, length, position);
  return buffer;
}
