import { constants } from "node:fs";
import { open } from "node:fs/promises";

/** Where the bytes of a transfer come from. */
export interface BlockSource {
  readonly size: number;
  /** Fills the buffers, one after the other, from a position of the file. */
  read(into: readonly Buffer[], position: number): Promise<void>;
  close(): Promise<void>;
}

/** @throws what opening it throws, and when it is no file. */
export async function fileSource(file: string): Promise<BlockSource> {
  // A pipe that somebody's archive has brought would be waited for without end, by a thread of few.
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  const info = await handle.stat();
  if (!info.isFile()) {
    await handle.close();
    throw new Error(`${file} is no file`);
  }
  return {
    size: info.size,
    read: async (into, position) => {
      let rest: readonly Buffer[] = into;
      for (let at = position; rest.length > 0;) {
        const { bytesRead } = await handle.readv(rest, at);
        if (bytesRead === 0) throw new Error("the file has become shorter");
        at += bytesRead;
        rest = after(rest, bytesRead);
      }
    },
    close: () => handle.close(),
  };
}

export function memorySource(bytes: Buffer): BlockSource {
  return {
    size: bytes.length,
    read: async (into, position) => {
      for (const buffer of into) position += bytes.copy(buffer, 0, position);
    },
    close: async () => {},
  };
}

/** What is left of buffers of which so many bytes are full. */
function after(buffers: readonly Buffer[], bytes: number): Buffer[] {
  const left: Buffer[] = [];
  for (const buffer of buffers) {
    if (bytes < buffer.length) left.push(bytes > 0 ? buffer.subarray(bytes) : buffer);
    bytes = Math.max(0, bytes - buffer.length);
  }
  return left;
}

interface Segment {
  /** Index in the file; -1: nothing in it yet. */
  index: number;
  loading: Promise<void> | undefined;
  isLoaded: boolean;
  frames: readonly Buffer[];
}

/**
 * The file as ready-made DATA packets, read ahead of the client: two segments of them in memory, read straight
 * behind their headers. Of the blocks that are not acknowledged, a window is always within two.
 */
export class BlockReader {
  readonly blocks: number;
  readonly #source: BlockSource;
  readonly #blockSize: number;
  readonly #perSegment: number;
  readonly #segments: readonly Segment[];
  readonly #memory: readonly Buffer[];
  #isClosed = false;

  constructor(source: BlockSource, blockSize: number, windowSize: number) {
    this.#source = source;
    this.#blockSize = blockSize;
    // A last block that is shorter than the others, empty if need be, says that it is the last.
    this.blocks = Math.floor(source.size / blockSize) + 1;
    const fitting = Math.max(1, Math.floor(SEGMENT_BYTES / blockSize));
    this.#perSegment = Math.min(Math.max(fitting, windowSize), 1024, this.blocks);
    const bytes = this.#perSegment * (HEADER_BYTES + blockSize);
    this.#memory = [Buffer.allocUnsafeSlow(bytes), Buffer.allocUnsafeSlow(bytes)];
    this.#segments = this.#memory.map(() => ({
      index: -1,
      loading: undefined,
      isLoaded: false,
      frames: [],
    }));
    this.#load(0);
  }

  /** The packet of a block (from 1), or undefined while it is read. */
  frame(block: number): Buffer | undefined {
    const index = Math.floor((block - 1) / this.#perSegment);
    const segment = this.#segments[index & 1] as Segment;
    if (segment.index !== index || !segment.isLoaded) return undefined;
    const within = (block - 1) % this.#perSegment;
    // All of the segment before this one is acknowledged when a window's length into this one.
    if (within === this.#perSegment >> 1) this.#load(index + 1);
    return segment.frames[within];
  }

  /** Resolves when the block's packet is there. @throws what reading it throws. */
  async wait(block: number): Promise<void> {
    const index = Math.floor((block - 1) / this.#perSegment);
    this.#load(index);
    await (this.#segments[index & 1] as Segment).loading;
  }

  /** Bytes of the first blocks of the file. */
  bytesOf(blocks: number): number {
    return Math.min(blocks * this.#blockSize, this.#source.size);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { loading } of this.#segments) await loading?.catch(() => {});
    await this.#source.close();
  }

  #load(index: number): void {
    const first = index * this.#perSegment;
    const segment = this.#segments[index & 1] as Segment;
    if (segment.index === index || first >= this.blocks || this.#isClosed) return;
    const previous = segment.loading ?? Promise.resolve();
    segment.index = index;
    segment.isLoaded = false;
    segment.loading = previous.then(() => this.#fill(segment, first, index & 1));
    // Whoever waits for it hears of it.
    segment.loading.catch(() => {});
  }

  async #fill(segment: Segment, first: number, slot: number): Promise<void> {
    const memory = this.#memory[slot] as Buffer;
    const count = Math.min(this.#perSegment, this.blocks - first);
    const frames = Array.from({ length: count }, (_, n) => {
      const start = n * (HEADER_BYTES + this.#blockSize);
      const left = this.#source.size - (first + n) * this.#blockSize;
      return memory.subarray(start, start + HEADER_BYTES + Math.min(this.#blockSize, left));
    });
    const bodies = frames.map((frame) => frame.subarray(HEADER_BYTES)).filter((b) => b.length > 0);
    if (bodies.length > 0) await this.#source.read(bodies, first * this.#blockSize);
    frames.forEach((frame, n) => {
      frame.writeUInt16BE(3, 0);
      frame.writeUInt16BE((first + n + 1) & 0xffff, 2);
    });
    segment.frames = frames;
    segment.isLoaded = true;
  }
}

const HEADER_BYTES = 4;
const SEGMENT_BYTES = 256 * 1024;
