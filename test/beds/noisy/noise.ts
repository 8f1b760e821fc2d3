import { printk } from "./printk.ts";
import { between, gap, pick, seededRandom, type Random } from "./random.ts";

/** How often each fault comes: once in so many characters on average; 0 or absent: never. */
export interface NoiseRates {
  /** Kernel messages in between, with and without timestamps, of two CPUs at once now and then. */
  readonly printk?: number;
  /** Sequences that move a cursor, set colours or ask the terminal something. */
  readonly ansi?: number;
  readonly nul?: number;
  /** Bytes that are no UTF-8. */
  readonly invalid?: number;
  /** Kernel messages of 10 MB at once. */
  readonly burst?: number;
  /** Some milliseconds of nothing. */
  readonly delay?: number;
  /** Seconds of nothing. */
  readonly stall?: number;
  /** The DUT is reset: whoever made the noise is called. */
  readonly reset?: number;
  /** Of so many line ends one is another: LF LF, CR CR LF, LF CR or a lone LF. */
  readonly lineEnd?: number;
  readonly drop?: number;
  readonly double?: number;
  /** A flipped bit, a random byte or a control character in a character's place. */
  readonly corrupt?: number;
}

/** What comes out of a noisy line, in order. */
export type Piece =
  | { readonly bytes: Uint8Array }
  | { readonly pauseMs: number }
  | { readonly reset: true };

export interface Noise {
  take(bytes: Uint8Array): Piece[];
}

const BURST_BYTES = 10 * 1000 * 1000;

/**
 * One direction of a noisy line. What comes out depends on seed, rates and what goes in, never on how that is cut into
 * pieces or when it comes: a seed replays. What the DUT's kernel inserts may be damaged on the line as all else.
 */
export function makeNoise(seed: number, rates: NoiseRates): Noise {
  const random = (name: string): Random => seededRandom(seed, name);
  const inserted = strike(faults(INSERTS, rates, random));
  const lineEnds = otherLineEnds(random("lineEnd"), rates.lineEnd ?? 0);
  const damaged = strike(faults(DAMAGES, rates, random));
  return {
    take: (bytes) =>
      inserted([{ bytes }])
        .map((piece) => ("bytes" in piece ? { bytes: lineEnds(piece.bytes) } : piece))
        .flatMap((piece) => damaged([piece])),
  };
}

/** What becomes of the character that a fault hits. */
type Strike = (random: Random, byte: number) => Piece[];

const before =
  (make: (random: Random) => Uint8Array): Strike =>
  (random, byte) => [{ bytes: make(random) }, { bytes: Uint8Array.of(byte) }];

const INSERTS: Partial<Record<keyof NoiseRates, Strike>> = {
  printk: before(printk),
  ansi: before((random) => Buffer.from(`\u001b${pick(random, ANSI)}`)),
  nul: before((random) => new Uint8Array(between(random, 1, 4))),
  invalid: before((random) =>
    Uint8Array.of(between(random, 0xf8, 0xff), between(random, 128, 191)),
  ),
  burst: before(burst),
  delay: (random, byte) => [{ pauseMs: between(random, 1, 40) }, { bytes: Uint8Array.of(byte) }],
  stall: (random, byte) => [
    { pauseMs: between(random, 1000, 4000) },
    { bytes: Uint8Array.of(byte) },
  ],
  reset: (_, byte) => [{ reset: true }, { bytes: Uint8Array.of(byte) }],
};

const DAMAGES: Partial<Record<keyof NoiseRates, Strike>> = {
  drop: () => [],
  double: (_, byte) => [{ bytes: Uint8Array.of(byte, byte) }],
  corrupt: (random, byte) => [{ bytes: Uint8Array.of(otherThan(random, byte)) }],
};

const ANSI: readonly [string, ...string[]] = [
  "[0m",
  "[1;31m",
  "[K",
  "[6n",
  "[?2004h",
  "[2J",
  "]0;title\u0007",
  "7",
];

function otherThan(random: Random, byte: number): number {
  const kind = random();
  const flipped = byte ^ (1 << between(random, 0, 7));
  if (kind < 0.5) return flipped;
  const other = kind < 0.75 ? between(random, 0, 255) : pick(random, [between(random, 0, 31), 127]);
  return other === byte ? flipped : other;
}

function burst(random: Random): Uint8Array {
  const lines = Buffer.concat(Array.from({ length: 1000 }, () => printk(random)));
  return Buffer.alloc(BURST_BYTES, lines);
}

interface Fault {
  readonly mean: number;
  readonly random: Random;
  readonly strike: Strike;
  /** The number of the character that it hits next. */
  at: number;
}

function faults(
  strikes: Partial<Record<keyof NoiseRates, Strike>>,
  rates: NoiseRates,
  random: (name: string) => Random,
): Fault[] {
  return Object.entries(strikes).map(([name, each]) => {
    const mean = rates[name as keyof NoiseRates] ?? 0;
    const own = random(name);
    return { mean, random: own, strike: each, at: gap(own, mean) - 1 };
  });
}

/** Has faults hit the characters that go by. */
function strike(all: readonly Fault[]): (pieces: readonly Piece[]) => Piece[] {
  let passed = 0;
  const next = (): Fault | undefined =>
    all.reduce<Fault | undefined>(
      (first, one) => (first && first.at <= one.at ? first : one),
      undefined,
    );
  const through = (bytes: Uint8Array): Piece[] => {
    const out: Piece[] = [];
    let from = 0;
    for (;;) {
      const fault = next();
      const index = fault ? Math.max(fault.at - passed, from) : Infinity;
      if (!fault || index >= bytes.length) break;
      if (index > from) out.push({ bytes: bytes.subarray(from, index) });
      out.push(...fault.strike(fault.random, bytes[index] ?? 0));
      from = index + 1;
      fault.at = passed + index + gap(fault.random, fault.mean);
    }
    if (from < bytes.length) out.push({ bytes: bytes.subarray(from) });
    passed += bytes.length;
    return out;
  };
  return (pieces) => pieces.flatMap((piece) => ("bytes" in piece ? through(piece.bytes) : [piece]));
}

const LF = 10;

function otherLineEnds(random: Random, mean: number): (bytes: Uint8Array) => Uint8Array {
  if (mean <= 0) return (bytes) => bytes;
  return (bytes) => {
    const text = Buffer.from(bytes).toString("latin1");
    if (!bytes.includes(LF)) return bytes;
    const other = text.replaceAll("\n", () =>
      random() * mean < 1 ? pick(random, ["\n\n", "\r\n", "\n\r", "\r\r\n"]) : "\n",
    );
    return Buffer.from(other, "latin1");
  };
}
