import path from "node:path";
import { Worker } from "node:worker_threads";
import { readInputs, corpusFolder, scratchFolder } from "./corpus.ts";
import type { ThreadData, ThreadMessage } from "./fuzz-thread.ts";
import type { Finding } from "./fuzz-target.ts";
import { MAX_INPUT_BYTES } from "./mutate.ts";

const HOOK = path.resolve(import.meta.dirname, "../../../scripts/tsx-hook.mjs");
const LOOK_MS = 200;
/** Ends for good when a target does nothing but end its threads. */
const MOST_THREADS = 20;

export interface RunOptions {
  readonly seed: number;
  /** New inputs; 0 only runs the corpus. */
  readonly runs: number;
  readonly seconds: number;
  /** One input that takes longer hangs. */
  readonly hangSeconds: number;
  /** More than that in use is growth. */
  readonly heapMb: number;
  /** Begins with what earlier runs on this machine learned, too. */
  readonly withScratch?: boolean;
  readonly seeds: readonly Uint8Array[];
}

export interface TargetReport {
  readonly target: string;
  readonly runs: number;
  readonly seconds: number;
  /** Functions of ours that ran. */
  readonly functions: number;
  readonly peakMb: number;
  /** Inputs that ran something new. */
  readonly kept: readonly Uint8Array[];
  readonly findings: readonly Finding[];
}

/**
 * Tries a target in a thread of its own, which is ended when an input hangs, and begun again when one ends it. The same seed
 * makes the same inputs while the code and its corpus are the same.
 */
export async function runTarget(target: string, options: RunOptions): Promise<TargetReport> {
  const start = Date.now();
  const endsAt = start + options.seconds * 1000;
  const inputs = [
    ...options.seeds,
    ...readInputs(corpusFolder(target)).map(([, input]) => input),
    ...(options.withScratch ? readInputs(scratchFolder(target)).map(([, input]) => input) : []),
  ].filter((input) => input.length <= MAX_INPUT_BYTES);
  const kept: Uint8Array[] = [];
  const findings = new Map<string, Finding>();
  let [runs, functions, peakMb, skipped] = [0, 0, 0, 0];
  for (let thread = 0; thread < MOST_THREADS; thread++) {
    const left = options.runs - runs;
    // What ended the last thread is not tried again.
    const bad = new Set([...findings.values()].map(({ input }) => textOf(input)));
    const corpus = [...inputs, ...kept].filter((input) => !bad.has(textOf(input)));
    const seed = options.seed + thread;
    const data = { target, seed, corpus, runs: Math.max(0, left), endsAt };
    const end = await runThread(data, options, (message) => {
      if ("kept" in message) kept.push(message.kept);
      else if ("finding" in message) findings.set(message.finding.key, message.finding);
      else {
        functions = Math.max(functions, message.done.functions);
        peakMb = Math.max(peakMb, message.done.peakMb);
      }
    });
    runs += end.runs;
    if (end.finding) findings.set(end.finding.key, end.finding);
    if (!end.finding || Date.now() > endsAt) break;
    skipped += 1;
  }
  if (skipped === MOST_THREADS) {
    const what = `${MOST_THREADS} threads ended one after the other`;
    findings.set(what, { kind: "crash", what, key: what, input: new Uint8Array() });
  }
  const seconds = (Date.now() - start) / 1000;
  return { target, runs, seconds, functions, peakMb, kept, findings: [...findings.values()] };
}

const textOf = (input: Uint8Array): string => Buffer.from(input).toString("latin1");

/** One thread to its end; with what was wrong when it did not come to it by itself. */
async function runThread(
  data: Omit<ThreadData, "inHand">,
  { hangSeconds, heapMb }: RunOptions,
  onMessage: (message: ThreadMessage) => void,
): Promise<{ runs: number; finding?: Finding }> {
  const inHand = new SharedArrayBuffer(8 + MAX_INPUT_BYTES);
  const counter = new Int32Array(inHand, 0, 2);
  const worker = new Worker(new URL("./fuzz-thread.ts", import.meta.url), {
    workerData: { ...data, inHand } satisfies ThreadData,
    execArgv: ["--import", HOOK],
    resourceLimits: { maxOldGenerationSizeMb: heapMb },
    // What is said again and again is of no use here.
    stdout: true,
    stderr: true,
  });
  worker.stdout.resume();
  worker.stderr.resume();
  const found = (kind: Finding["kind"], what: string): Finding => {
    const length = Atomics.load(counter, 1);
    const input = new Uint8Array(inHand, 8, length).slice();
    // One that ended its thread must not be tried again, so each is a finding of its own.
    return { kind, what, key: `${kind} ${textOf(input)}`, input };
  };
  let finding: Finding | undefined;
  let [last, since] = [-1, Date.now()];
  const watching = setInterval(() => {
    const now = Atomics.load(counter, 0);
    if (now !== last) [last, since] = [now, Date.now()];
    // Until the first input it loads what it needs.
    else if (now > 0 && Date.now() - since > hangSeconds * 1000) {
      finding ??= found("hang", `an input takes more than ${hangSeconds} s`);
      void worker.terminate();
    }
  }, LOOK_MS);
  worker.on("message", onMessage);
  worker.on("error", (error: NodeJS.ErrnoException) => {
    const isFull = error.code === "ERR_WORKER_OUT_OF_MEMORY";
    finding ??= isFull
      ? found("growth", `more than ${heapMb} MB are in use`)
      : found("crash", error.stack ?? String(error));
  });
  await new Promise<void>((resolve) => worker.on("exit", () => resolve()));
  clearInterval(watching);
  return { runs: Atomics.load(counter, 0), ...(finding ? { finding } : {}) };
}
