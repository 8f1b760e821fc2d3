import { Worker } from "node:worker_threads";
import type { PlanAnswer, PlanRequest } from "#protocol/plan.ts";

/** What a job of reasonable size takes is some milliseconds. */
const PLAN_MS = 10_000;
/** For the code to be loaded, on a machine that is busy. */
const LOAD_MS = 60_000;
/** Its memory is given back when nobody has asked for so long. */
const IDLE_MS = 60_000;
const MAX_HEAP_MB = 192;

interface Thread {
  readonly worker: Worker;
  /** It can plan, or it has ended. */
  readonly loaded: Promise<void>;
  /** Why it has ended. */
  problem?: string;
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
  before = answer.catch(() => {});
  return answer;
}

async function planNext(request: PlanRequest, limitMs: number): Promise<PlanAnswer> {
  const on = (thread ??= start());
  clearTimeout(on.idle);
  on.worker.ref();
  await on.loaded;
  if (on.problem !== undefined) return { problem: on.problem };
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
  let isLoaded = () => {};
  const loaded = new Promise<void>((resolve) => (isLoaded = resolve));
  const made: Thread = { worker, loaded };
  const late = setTimeout(() => end(made, "the planner takes too long to be loaded"), LOAD_MS);
  worker.on("message", (said: PlanAnswer | "loaded") => {
    if (said !== "loaded") return made.answer?.(said);
    clearTimeout(late);
    isLoaded();
  });
  worker.on("error", (error) => {
    const isMemory = (error as NodeJS.ErrnoException).code === "ERR_WORKER_OUT_OF_MEMORY";
    end(made, isMemory ? "its plan takes too much memory to be made" : `no plan: ${String(error)}`);
  });
  worker.on("exit", () => {
    clearTimeout(late);
    end(made, "the planner has ended");
    isLoaded();
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
  on.problem ??= problem;
  void on.worker.terminate();
  on.answer?.({ problem });
}

/** Beside the bundled program; run from its sources, the worker's own. */
const sourceUrl = (): URL =>
  import.meta.url.endsWith("/control-plane/plan-thread.ts")
    ? new URL("../worker/plan-main.ts", import.meta.url)
    : new URL("planner.mjs", import.meta.url);
