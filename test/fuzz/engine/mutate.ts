import type { Random } from "./random.ts";

/** Longer inputs find little more and take their time. */
export const MAX_INPUT_BYTES = 32 * 1024;

/** Numbers at the borders of what formats count in. */
const BORDERS = [
  0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
];

type Mutation = (input: Buffer, random: Random, sources: Sources) => Buffer;

interface Sources {
  readonly words: readonly Buffer[];
  readonly corpus: readonly Uint8Array[];
}

const MUTATIONS: readonly Mutation[] = [
  function flipBit(input, random) {
    const out = Buffer.from(input);
    const at = random.below(out.length);
    if (out.length > 0) out[at] = (out[at] ?? 0) ^ (1 << random.below(8));
    return out;
  },
  function setByte(input, random) {
    const out = Buffer.from(input);
    if (out.length > 0) out[random.below(out.length)] = random.below(256);
    return out;
  },
  function setNumber(input, random) {
    const out = Buffer.from(input);
    const value = random.one(BORDERS);
    const size = random.one([1, 2, 4]);
    if (out.length < size) return out;
    const at = random.below(out.length - size + 1);
    const masked = value % 2 ** (size * 8);
    if (random.below(2) === 0) out.writeUIntLE(masked, at, size);
    else out.writeUIntBE(masked, at, size);
    return out;
  },
  function insertWord(input, random, { words }) {
    return words.length === 0
      ? input
      : put(input, random.below(input.length + 1), 0, random.one(words));
  },
  function replaceByWord(input, random, { words }) {
    if (words.length === 0) return input;
    return put(input, random.below(input.length + 1), random.below(12), random.one(words));
  },
  function changeDigits(input, random) {
    const text = input.toString("latin1");
    const numbers = [...text.matchAll(/\d+/g)];
    if (numbers.length === 0) return input;
    const { index, 0: digits } = random.one(numbers);
    const other = random.one([
      "-1",
      "0",
      "1e999",
      "99999999999999999999",
      String(random.one(BORDERS)),
    ]);
    return put(input, index, digits.length, Buffer.from(other));
  },
  function cutOut(input, random) {
    return put(input, random.below(input.length + 1), 1 + random.below(60), Buffer.alloc(0));
  },
  function cutOff(input, random) {
    return input.subarray(0, random.below(input.length + 1));
  },
  function repeat(input, random) {
    const at = random.below(input.length + 1);
    const part = input.subarray(at, at + 1 + random.below(40));
    return put(input, at, 0, Buffer.concat(Array<Buffer>(1 + random.below(30)).fill(part)));
  },
  function move(input, random) {
    const at = random.below(input.length + 1);
    const part = Buffer.from(input.subarray(at, at + 1 + random.below(80)));
    return put(input, random.below(input.length + 1), 0, part);
  },
  function splice(input, random, { corpus }) {
    if (corpus.length === 0) return input;
    const other = Buffer.from(random.one(corpus));
    const from = random.below(other.length + 1);
    const head = input.subarray(0, random.below(input.length + 1));
    return Buffer.concat([head, other.subarray(from)]);
  },
];

/** The input with one to eight changes. */
export function mutate(input: Uint8Array, random: Random, sources: Sources): Uint8Array {
  let out = Buffer.from(input);
  const changes = 1 << random.below(4);
  for (let n = 0; n < changes; n++) {
    out = Buffer.from(random.one(MUTATIONS)(out, random, sources).subarray(0, MAX_INPUT_BYTES));
  }
  return out;
}

const put = (input: Buffer, at: number, length: number, part: Buffer): Buffer =>
  Buffer.concat([input.subarray(0, at), part, input.subarray(at + length)]);
