import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { PlanAnswer, PlanRequest } from "#protocol/plan.ts";

/** What a job of reasonable size takes is some milliseconds. */
const PLAN_MS = 10_000;
/** For the code to be loaded, on a machine that is busy. */
const LOAD_MS = 60_000;
/** Its memory is given back when nobody has asked for so long. */
const IDLE_MS = 60_000;
const MAX_HEAP_MB = 192;
/** Whoever comes when so many wait would not wait for the answer. */
const MOST_WAITING = 20;

interface Program {
  readonly child: ChildProcess;
  /** It can plan, or it has ended. */
  readonly loaded: Promise<void>;
  /** Why it has ended. */
  problem?: string;
  /** Takes the answer to the request that it has, if any. */
  answer?: ((answer: PlanAnswer) => void) | undefined;
  idle?: NodeJS.Timeout;
}

let program: Program | undefined;
let before: Promise<unknown> = Promise.resolve();
let waiting = 0;

/**
 * Plans in a process of its own, one job after the other. A job is hostile: one that takes longer than `limitMs` or too much memory
 * ends the process, the next one gets another, and whoever else is served meanwhile does not wait. A thread would not do: one
 * without memory may end the whole program before anybody can end it.
 */
export function planInProcess(request: PlanRequest, limitMs = PLAN_MS): Promise<PlanAnswer> {
  if (waiting >= MOST_WAITING) {
    return Promise.resolve({ problem: "too many plans are asked for: ask again in a minute" });
  }
  waiting += 1;
  const answer = before.then(() => planNext(request, limitMs)).finally(() => (waiting -= 1));
  before = answer.catch(() => {});
  return answer;
}

async function planNext(request: PlanRequest, limitMs: number): Promise<PlanAnswer> {
  const on = (program ??= start());
  clearTimeout(on.idle);
  hold(on);
  await on.loaded;
  if (on.problem !== undefined) return { problem: on.problem };
  const answer = await new Promise<PlanAnswer>((resolve) => {
    const late = setTimeout(() => end(on, "its plan takes too long to be made"), limitMs);
    on.answer = (found) => {
      clearTimeout(late);
      on.answer = undefined;
      resolve(found);
    };
    // What can't be sent any more is known by its end.
    on.child.send(request, () => {});
  });
  if (program === on) rest(on);
  return answer;
}

function start(): Program {
  const child = fork(fileURLToPath(sourceUrl()), {
    execArgv: [`--max-old-space-size=${MAX_HEAP_MB}`],
    env: {},
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  let isLoaded = () => {};
  const loaded = new Promise<void>((resolve) => (isLoaded = resolve));
  const made: Program = { child, loaded };
  const late = setTimeout(() => end(made, "the planner takes too long to be loaded"), LOAD_MS);
  child.on("message", (said: PlanAnswer | "loaded") => {
    if (said !== "loaded") return made.answer?.(said);
    clearTimeout(late);
    isLoaded();
  });
  const gone = (problem: string) => {
    clearTimeout(late);
    end(made, problem);
    isLoaded();
  };
  child.on("error", (error) => gone(`no plan: ${String(error)}`));
  child.on("exit", (_code, signal) =>
    // So V8 ends a program whose memory is used up.
    gone(
      signal === "SIGABRT" ? "its plan takes too much memory to be made" : "the planner has ended",
    ),
  );
  return made;
}

/** Keeps the process of the lab as long as somebody waits for a plan. */
function hold({ child }: Program): void {
  child.ref();
  child.channel?.ref();
}

/** Waits for others without keeping it. */
function rest(on: Program): void {
  on.child.unref();
  on.child.channel?.unref();
  on.idle = setTimeout(() => end(on, "the planner has ended"), IDLE_MS);
  on.idle.unref();
}

function end(on: Program, problem: string): void {
  if (program === on) program = undefined;
  on.problem ??= problem;
  on.child.kill("SIGKILL");
  on.answer?.({ problem });
}

/** Beside the bundled program; run from its sources, the worker's own. */
const sourceUrl = (): URL =>
  import.meta.url.endsWith("/control-plane/plan-process.ts")
    ? new URL("../worker/plan-main.ts", import.meta.url)
    : new URL("planner.mjs", import.meta.url);
