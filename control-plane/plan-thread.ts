import { Worker } from "node:worker_threads";
import type { PlanAnswer, PlanRequest } from "#protocol/plan.ts";

/** What a job of reasonable size takes is some milliseconds; the first one waits for the code to be loaded. */
const PLAN_MS = 10_000;
/** Its memory is given back when nobody has asked for so long. */
const IDLE_MS = 60_000;
const MAX_HEAP_MB = 192;

interface Thread {
  readonly worker: Worker;
  /** Takes the answer to the request that it has, if any. */
  answer?: ((answer: PlanAnswer) => void) | undefined;
  idle?: NodeJS.Timeout;
}

let thread: Thread | undefined;
let before: Promise<unknown> = Promise.resolve();

/**
 * Plans in a thread of its own, one job after the other. A job is hostile: one that takes longer than `limitMs` or too much memory
 * ends the thread, the next one gets another, and whoever else is served meanwhile does not wait.
 */
export function planInThread(request: PlanRequest, limitMs = PLAN_MS): Promise<PlanAnswer> {
  const answer = before.then(() => planNext(request, limitMs));
  before = answer;
  return answer;
}

async function planNext(request: PlanRequest, limitMs: number): Promise<PlanAnswer> {
  const on = (thread ??= start());
  clearTimeout(on.idle);
  on.worker.ref();
  const answer = await new Promise<PlanAnswer>((resolve) => {
    const late = setTimeout(() => end(on, "its plan takes too long to be made"), limitMs);
    on.answer = (found) => {
      clearTimeout(late);
      on.answer = undefined;
      resolve(found);
    };
    on.worker.postMessage(request);
  });
  if (thread === on) rest(on);
  return answer;
}

function start(): Thread {
  const worker = new Worker(sourceUrl(), {
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    env: {},
  });
  const made: Thread = { worker };
  worker.on("message", (answer: PlanAnswer) => made.answer?.(answer));
  worker.on("error", (error) => {
    const isMemory = (error as NodeJS.ErrnoException).code === "ERR_WORKER_OUT_OF_MEMORY";
    end(made, isMemory ? "its plan takes too much memory to be made" : `no plan: ${String(error)}`);
  });
  return made;
}

/** Waits for others without keeping the process. */
function rest(on: Thread): void {
  on.worker.unref();
  on.idle = setTimeout(() => end(on, "the planner has ended"), IDLE_MS);
  on.idle.unref();
}

function end(on: Thread, problem: string): void {
  if (thread === on) thread = undefined;
  void on.worker.terminate();
  on.answer?.({ problem });
}

/** Beside the bundled program; run from its sources, the worker's own. */
const sourceUrl = (): URL =>
  import.meta.url.endsWith("/control-plane/plan-thread.ts")
    ? new URL("../worker/plan-main.ts", import.meta.url)
    : new URL("planner.mjs", import.meta.url);
