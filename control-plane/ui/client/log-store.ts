import { LEVEL_NAMES, levelOf, lineText } from "#protocol/log-text.ts";
import type { LogRecords } from "../log-html.ts";
import type { LogBlock } from "./log-messages.ts";
import { packText, unpackText } from "./pack-text.ts";

/** Lines that are packed together. */
export const BLOCK_LINES = 2048;
/** Packed bytes that are kept; of a longer log the oldest lines are fetched again when they are asked for. */
const MAX_KEPT_BYTES = 64 * 1024 * 1024;
/** Blocks that are kept as they are, those that were asked for last. */
const OPEN_BLOCKS = 8;
const MAX_LENGTH = 65_535;

export type ReadRange = (start: number, end: number) => Promise<LogRecords>;

/** The whole of a log in little memory: its text packed in blocks. Lines are added in order; only the last block grows. */
export class LogStore {
  /** 0-based line after the last. */
  next = 0;
  readonly #packed: (Uint8Array<ArrayBuffer> | undefined)[] = [];
  readonly #open = new Map<number, Promise<string[]>>();
  readonly #readRange: ReadRange;
  #tail: string[] = [];
  #kept = 0;
  #oldest = 0;

  constructor(readRange: ReadRange) {
    this.#readRange = readRange;
  }

  /** Adds what follows, and tells what there is to know of each line. */
  async add(records: LogRecords): Promise<{ levels: Uint8Array; lengths: Uint16Array }> {
    const levels = new Uint8Array(records.length);
    const lengths = new Uint16Array(records.length);
    for (const [n, record] of records.entries()) {
      levels[n] = LEVEL_NAMES.indexOf(levelOf(record));
      lengths[n] = Math.min(MAX_LENGTH, lineText(record).length);
      this.#tail.push(JSON.stringify(record));
      this.next += 1;
      if (this.#tail.length === BLOCK_LINES) await this.#packTail();
    }
    return { levels, lengths };
  }

  /** The records of some lines, in their order; an empty one stands for a line that there is not. */
  async records(lines: Iterable<number>): Promise<LogRecords> {
    const records: LogRecords = [];
    for (const line of lines) {
      const texts = await this.#lines(Math.floor(line / BLOCK_LINES));
      records.push(JSON.parse(texts[line % BLOCK_LINES] ?? "{}") as LogRecords[number]);
    }
    return records;
  }

  /** A block of the text, or undefined when there is no such block yet. */
  async block(number: number): Promise<LogBlock | undefined> {
    const first = number * BLOCK_LINES;
    if (first >= this.next) return undefined;
    if (number === this.#packed.length) return { first, text: this.#tail.join("\n") };
    return { first, text: this.#packed[number] ?? (await this.#lines(number)).join("\n") };
  }

  async #packTail(): Promise<void> {
    const packed = await packText(this.#tail.join("\n"));
    this.#packed.push(packed);
    this.#tail = [];
    this.#kept += packed.length;
    while (this.#kept > MAX_KEPT_BYTES) {
      this.#kept -= this.#packed[this.#oldest]?.length ?? 0;
      this.#packed[this.#oldest++] = undefined;
    }
  }

  async #lines(block: number): Promise<string[]> {
    if (block >= this.#packed.length) return this.#tail;
    const found = this.#open.get(block) ?? this.#unpack(block);
    this.#open.delete(block);
    this.#open.set(block, found);
    const [oldest] = this.#open.keys();
    if (this.#open.size > OPEN_BLOCKS && oldest !== undefined) this.#open.delete(oldest);
    try {
      return await found;
    } catch (error) {
      this.#open.delete(block);
      throw error;
    }
  }

  async #unpack(block: number): Promise<string[]> {
    const packed = this.#packed[block];
    if (packed) return (await unpackText(packed)).split("\n");
    const first = block * BLOCK_LINES;
    const records = await this.#readRange(first, first + BLOCK_LINES);
    return records.map((record) => JSON.stringify(record));
  }
}
