import { parentPort, workerData } from "node:worker_threads";
import { targetOf } from "../targets.ts";
import { startCoverage, type Coverage } from "./coverage.ts";
import type { Finding, OpenTarget } from "./fuzz-target.ts";
import { MAX_INPUT_BYTES, mutate } from "./mutate.ts";
import { makeRandom } from "./random.ts";

/** What the thread is told. */
export interface ThreadData {
  readonly target: string;
  readonly seed: number;
  readonly corpus: readonly Uint8Array[];
  /** Of new inputs; 0 only runs the corpus. */
  readonly runs: number;
  readonly endsAt: number;
  /** The number of the input in hand, its length, and the input. */
  readonly inHand: SharedArrayBuffer;
}

/** What it tells. */
export type ThreadMessage =
  | { readonly kept: Uint8Array }
  | { readonly finding: Finding }
  | { readonly done: { runs: number; functions: number; peakMb: number } };

/** Inputs that are run between two looks at what is new: a look takes longer than most inputs. */
const AT_A_TIME = 8;

const { target: name, seed, corpus: given, runs, endsAt, inHand } = workerData as ThreadData;
const tell = (message: ThreadMessage): void => parentPort?.postMessage(message);

const target = await targetOf(name);
const words = target.words.map((word) => Buffer.from(word as Uint8Array));
const [counter, bytes] = [new Int32Array(inHand, 0, 2), new Uint8Array(inHand, 8)];
const known = new Set<string>();
let peakMb = 0;
let done = 0;

const open = await target.open();
const coverage = startCoverage();
try {
  await loop(open, coverage);
} finally {
  coverage.stop();
  await open.close?.();
}
tell({ done: { runs: done, functions: coverage.functions, peakMb } });

async function loop(on: OpenTarget, seen: Coverage): Promise<void> {
  const random = makeRandom(seed);
  const corpus: Uint8Array[] = [];
  for (const input of given) {
    await runOne(on, input);
    if (seen.hasNew()) corpus.push(input);
    if (Date.now() > endsAt) return;
  }
  if (corpus.length === 0) corpus.push(...given);
  for (let begun = 0; begun < runs && Date.now() < endsAt; begun += AT_A_TIME) {
    const batch = Array.from({ length: AT_A_TIME }, () => {
      // Half of the time one of the newest: what is new there has been tried least.
      const recent = corpus.slice(-20);
      const base = random.one(random.below(2) === 0 ? recent : corpus);
      return mutate(base ?? new Uint8Array(), random, { words, corpus });
    });
    for (const input of batch) await runOne(on, input);
    if (!seen.peek()) continue;
    for (const input of batch) {
      await runOne(on, input);
      if (!seen.hasNew()) continue;
      corpus.push(input);
      tell({ kept: input });
    }
  }
}

/** Runs one input where a watcher sees it, and tells what is wrong with it. */
async function runOne(on: OpenTarget, input: Uint8Array): Promise<void> {
  bytes.set(input.subarray(0, MAX_INPUT_BYTES));
  Atomics.store(counter, 1, input.length);
  Atomics.add(counter, 0, 1);
  done += 1;
  try {
    await on.run(input);
  } catch (error) {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const key = keyOf(what);
    if (known.has(key)) return;
    known.add(key);
    tell({ finding: { kind: "crash", what, key, input: await shortened(on, input, key) } });
  }
  if (done % 64 === 0) peakMb = Math.max(peakMb, Math.round(process.memoryUsage.rss() / 2 ** 20));
}

/** Where it was thrown, and what without its numbers and quotations. */
export function keyOf(what: string): string {
  const [message = "", ...stack] = what.split("\n");
  const place = stack.find((line) => /\/(?:control-plane|worker|test)\//.test(line)) ?? "";
  return `${message.replace(/\d+|'[^']*'|"[^"]*"/g, "#").slice(0, 120)} ${place.trim().replace(/.*\/(?=(?:control-plane|worker|test)\/)/, "")}`;
}

/** The input without what the error does not need. */
async function shortened(on: OpenTarget, input: Uint8Array, key: string): Promise<Uint8Array> {
  let best = Buffer.from(input);
  const fails = async (candidate: Buffer): Promise<boolean> => {
    try {
      await on.run(candidate);
      return false;
    } catch (error) {
      return keyOf(error instanceof Error ? (error.stack ?? error.message) : String(error)) === key;
    }
  };
  let tries = 0;
  for (let size = best.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < best.length && tries < 400;) {
      const candidate = Buffer.concat([best.subarray(0, at), best.subarray(at + size)]);
      tries += 1;
      Atomics.add(counter, 0, 1);
      if (await fails(candidate)) best = candidate;
      else at += size;
    }
  }
  return best;
}
