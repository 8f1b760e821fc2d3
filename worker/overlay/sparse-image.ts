import { open, type FileHandle } from "node:fs/promises";
import { JobFailure } from "../pipeline/job-failure.ts";

/** What a sparse image says beside its content: to be kept when it is made again. */
export interface SparseLayout {
  readonly blockBytes: number;
  /** By block: nothing is to be written there, whatever is on the device. */
  readonly isLeftAlone: (block: number) => boolean;
}

/** Android's sparse image format, version 1: chunks of blocks that are data, one repeated word, or left alone. */
const MAGIC = 0xed26ff3a;
const HEADER_BYTES = 28;
const CHUNK_HEADER_BYTES = 12;
const RAW = 0xcac1;
const FILL = 0xcac2;
const LEFT_ALONE = 0xcac3;
const CRC = 0xcac4;
const BUFFER_BYTES = 8 << 20;
/** A disk's smallest; smaller ones would only make for many chunks. */
const MIN_BLOCK = 512;
/** Larger than any flash; a damaged header may say anything. */
const MAX_BYTES = 2 ** 43;

/** Whether a file begins as a sparse image. */
export async function isSparse(image: string): Promise<boolean> {
  const file = await open(image);
  const head = Buffer.alloc(4);
  await file.read(head, 0, 4, 0).finally(() => file.close());
  return head.readUInt32LE(0) === MAGIC;
}

/**
 * Writes the content of an Android sparse image to `target`, as a file with holes.
 *
 * @throws JobFailure Job when it isn't one or is damaged.
 */
export async function unpackSparse(
  image: string,
  target: string,
  signal?: AbortSignal,
): Promise<SparseLayout> {
  const [from, to] = [await open(image), await open(target, "w")];
  try {
    const header = await readAt(from, 0, HEADER_BYTES);
    if (header.readUInt32LE(0) !== MAGIC || header.readUInt16LE(4) !== 1) {
      throw damaged(
        "expected an Android sparse image, version 1 (is it raw? then `sparse: false`)",
      );
    }
    const [headerBytes, chunkHeaderBytes] = [header.readUInt16LE(8), header.readUInt16LE(10)];
    const [blockBytes, blocks, chunks] = [12, 16, 20].map((at) => header.readUInt32LE(at)) as [
      number,
      number,
      number,
    ];
    const isBlock = blockBytes % 4 === 0 && blockBytes >= MIN_BLOCK && blockBytes <= BUFFER_BYTES;
    if (!isBlock || blockBytes * blocks > MAX_BYTES) {
      throw damaged(`${blocks} blocks of ${blockBytes} bytes can't be`);
    }
    if (chunkHeaderBytes < CHUNK_HEADER_BYTES) throw damaged("its chunks have no headers");
    await to.truncate(blockBytes * blocks);
    const alone: [number, number][] = [];
    let [at, block] = [headerBytes, 0];
    for (let n = 0; n < chunks; n++) {
      signal?.throwIfAborted();
      const chunk = await readAt(from, at, CHUNK_HEADER_BYTES);
      const [kind, count, bytes] = [
        chunk.readUInt16LE(0),
        chunk.readUInt32LE(4),
        chunk.readUInt32LE(8),
      ];
      const data = at + chunkHeaderBytes;
      if (block + count > blocks || bytes < chunkHeaderBytes) throw damaged("a chunk is too long");
      const length = count * blockBytes;
      if (kind === RAW) await copy(from, data, to, block * blockBytes, length, signal);
      else if (kind === FILL) {
        const word = await readAt(from, data, 4);
        await fill(to, word, block * blockBytes, length, signal);
      } else if (kind === LEFT_ALONE) {
        if (count > 0) alone.push([block, block + count]);
      } else if (kind !== CRC)
        throw damaged(`a chunk is of the unknown kind 0x${kind.toString(16)}`);
      at += bytes;
      if (kind !== CRC) block += count;
    }
    return { blockBytes, isLeftAlone: inRanges(alone) };
  } finally {
    await Promise.all([from.close(), to.close()]);
  }
}

/**
 * Makes a sparse image of a raw one: what the layout leaves alone and is still empty goes on being left alone,
 * blocks of one repeated word become a fill, the rest is data. The last block is filled up with zeros.
 */
export async function packSparse(
  raw: string,
  target: string,
  layout: SparseLayout,
  signal?: AbortSignal,
): Promise<void> {
  const { blockBytes, isLeftAlone } = layout;
  const [from, to] = [await open(raw), await open(target, "w")];
  try {
    const { size } = await from.stat();
    const blocks = Math.ceil(size / blockBytes);
    const out = new ChunkWriter(to, blockBytes);
    const perRead = Math.max(1, Math.floor(BUFFER_BYTES / blockBytes));
    // One buffer for all: what is in it is written before it is filled again.
    const bytes = Buffer.alloc(perRead * blockBytes);
    for (let block = 0; block < blocks; block += perRead) {
      signal?.throwIfAborted();
      const count = Math.min(perRead, blocks - block);
      await readInto(from, bytes.subarray(0, count * blockBytes), block * blockBytes);
      for (let n = 0; n < count; n++) {
        const one = bytes.subarray(n * blockBytes, (n + 1) * blockBytes);
        const word = repeatedWord(one);
        if (word === 0 && isLeftAlone(block + n)) out.add(LEFT_ALONE, 0);
        else if (word === undefined) out.add(RAW, 0, one);
        else out.add(FILL, word);
      }
      await out.flush();
    }
    await out.end(blocks);
  } finally {
    await Promise.all([from.close(), to.close()]);
  }
}

/** Collects equal neighbours into one chunk. A chunk of data ends with each `flush`: its length stands before it. */
class ChunkWriter {
  readonly #file: FileHandle;
  readonly #blockBytes: number;
  #at = HEADER_BYTES;
  #chunks = 0;
  #kind = 0;
  #word = 0;
  #count = 0;
  #data: Buffer[] = [];
  #ready: Buffer[] = [];

  constructor(file: FileHandle, blockBytes: number) {
    this.#file = file;
    this.#blockBytes = blockBytes;
  }

  add(kind: number, word: number, data?: Buffer): void {
    if (kind !== this.#kind || word !== this.#word) this.#close();
    [this.#kind, this.#word] = [kind, word];
    this.#count += 1;
    if (data) this.#data.push(data);
  }

  #close(): void {
    if (this.#count === 0) return;
    const word = Buffer.alloc(this.#kind === FILL ? 4 : 0);
    if (word.length > 0) word.writeUInt32LE(this.#word);
    const data = this.#kind === RAW ? this.#count * this.#blockBytes : word.length;
    const header = Buffer.alloc(CHUNK_HEADER_BYTES);
    header.writeUInt16LE(this.#kind, 0);
    header.writeUInt32LE(this.#count, 4);
    header.writeUInt32LE(CHUNK_HEADER_BYTES + data, 8);
    this.#ready.push(header, word, ...this.#data);
    this.#chunks += 1;
    this.#count = 0;
    this.#data = [];
  }

  /** Writes out what is whole; fills may go on. */
  async flush(): Promise<void> {
    if (this.#kind === RAW) this.#close();
    const bytes = Buffer.concat(this.#ready);
    this.#ready = [];
    await writeAll(this.#file, bytes, this.#at);
    this.#at += bytes.length;
  }

  async end(blocks: number): Promise<void> {
    this.#close();
    await this.flush();
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32LE(MAGIC, 0);
    header.writeUInt16LE(1, 4);
    header.writeUInt16LE(HEADER_BYTES, 8);
    header.writeUInt16LE(CHUNK_HEADER_BYTES, 10);
    [this.#blockBytes, blocks, this.#chunks].forEach((n, i) => header.writeUInt32LE(n, 12 + i * 4));
    await writeAll(this.#file, header, 0);
  }
}

/** The word of 4 bytes that a block consists of, if it does. */
function repeatedWord(block: Buffer): number | undefined {
  const same = block.subarray(4).equals(block.subarray(0, -4));
  return same ? block.readUInt32LE(0) : undefined;
}

function inRanges(ranges: readonly (readonly [number, number])[]): (block: number) => boolean {
  let last = 0;
  return (block) => {
    // Asked in rising order almost always: the search goes on where it was.
    if (block < (ranges[last]?.[0] ?? 0)) last = 0;
    while (last < ranges.length - 1 && block >= (ranges[last]?.[1] ?? Infinity)) last += 1;
    const range = ranges[last];
    return range !== undefined && block >= range[0] && block < range[1];
  };
}

async function copy(
  from: FileHandle,
  start: number,
  to: FileHandle,
  target: number,
  bytes: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let done = 0; done < bytes;) {
    signal?.throwIfAborted();
    const piece = await readAt(from, start + done, Math.min(BUFFER_BYTES, bytes - done));
    await writeAll(to, piece, target + done);
    done += piece.length;
  }
}

async function fill(
  to: FileHandle,
  word: Buffer,
  target: number,
  bytes: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (word.readUInt32LE(0) === 0) return;
  const piece = Buffer.alloc(Math.min(BUFFER_BYTES, bytes), word);
  for (let done = 0; done < bytes; done += piece.length) {
    signal?.throwIfAborted();
    await writeAll(to, piece.subarray(0, Math.min(piece.length, bytes - done)), target + done);
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await file.read(buffer, done, length - done, position + done);
    if (bytesRead === 0) throw damaged("it ends too early");
    done += bytesRead;
  }
  return buffer;
}

/** As much as there is; zeros stand for what is behind the end. */
async function readInto(file: FileHandle, buffer: Buffer, position: number): Promise<void> {
  let done = 0;
  while (done < buffer.length) {
    const left = buffer.length - done;
    const { bytesRead } = await file.read(buffer, done, left, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  buffer.fill(0, done);
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const left = bytes.length - done;
    done += (await file.write(bytes, done, left, position + done)).bytesWritten;
  }
}

const damaged = (why: string): JobFailure => new JobFailure("Job", `the sparse image: ${why}`);
