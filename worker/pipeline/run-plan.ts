import { setTimeout as sleep } from "node:timers/promises";
import { clockTime } from "#protocol/timeouts.ts";
import type { JobContext, RunContext } from "./action.ts";
import { startDeadline, untilAborted, type Deadline } from "./deadline.ts";
import { JobFailure } from "./job-failure.ts";
import type { PlannedAction } from "./plan.ts";
import type { Recorder } from "./recorder.ts";
import { Releases } from "./releases.ts";
import { Slots } from "./slot.ts";

/** What the actions of one run share. */
export interface Run {
  readonly job: JobContext;
  readonly recorder: Recorder;
  readonly releases: Releases;
  readonly slots: Map<string, Slots>;
}

type Outer = Pick<Deadline, "signal" | "atMs"> & Partial<Pick<Deadline, "suspend" | "resume">>;

/** Who may be tried again (DISPATCHER.md 3). */
const RETRIED = new Set(["Infrastructure", "Job", "Test"]);

export const startRun = (job: JobContext, recorder: Recorder): Run => ({
  job,
  recorder,
  releases: new Releases(),
  slots: new Map(),
});

/** The slots of a namespace, the same for everybody who asks. */
export function slotsOf(run: Run, namespace: string): Slots {
  const known = run.slots.get(namespace);
  if (known) return known;
  const slots = new Slots();
  run.slots.set(namespace, slots);
  return slots;
}

/**
 * Runs one planned action with everything below it: its start and end in the log, its deadline, its
 * attempts, its result record (DISPATCHER.md 1, 2, 3, 7.4).
 *
 * @throws JobFailure when it failed; whatever else an action throws has become a `Bug`.
 */
export async function runAction(run: Run, planned: PlannedAction, outer: Outer): Promise<void> {
  const { action, level, namespace, timeoutSeconds, skipsTimeout } = planned;
  const { recorder } = run;
  const say = level.includes(".") ? recorder.debug : recorder.info;
  const started = Date.now();
  const data: Record<string, unknown> = {};
  say(`start: ${level} ${action.name} (timeout ${clockTime(timeoutSeconds)}) [${namespace}]`);
  const deadline = startDeadline(timeoutSeconds, outer, (elapsed) =>
    timeoutFailure(planned, elapsed),
  );
  outer.suspend?.();
  let failure: JobFailure | undefined;
  try {
    await runAttempts(run, planned, deadline, data);
  } catch (error) {
    failure = JobFailure.from(deadline.signal.aborted ? deadline.signal.reason : error);
  } finally {
    deadline.clear();
  }
  const seconds = (Date.now() - started) / 1000;
  say(`end: ${level} ${action.name} (duration ${clockTime(seconds)}) [${namespace}]`);
  if (failure) data["fail"] = failure.message;
  if (Object.keys(data).length > 0) {
    recorder.result({
      definition: "lava",
      namespace,
      case: action.name,
      level,
      duration: seconds.toFixed(2),
      result: failure ? "fail" : "pass",
      extra: data,
    });
  }
  if (!failure) {
    outer.resume?.();
    return;
  }
  // The outer deadline stays suspended: were it due as well, it would hide whose fault this is.
  if (failure.type === "LAVATimeout" && skipsTimeout && !level.includes(".")) {
    recorder.warning(`skip_timeout is set for ${action.name} - continuing to next action block.`);
    outer.resume?.();
    return;
  }
  throw failure;
}

/** A time-out of a test is a LAVATimeout only where it may be skipped, else the test's fault (DISPATCHER.md 5.2). */
function timeoutFailure({ action, skipsTimeout }: PlannedAction, elapsed: number): JobFailure {
  const type = action.onTimeout ?? "Job";
  const reported = type === "LAVATimeout" && !skipsTimeout ? "Test" : type;
  return new JobFailure(reported, `${action.name} timed out after ${elapsed} seconds`);
}

async function runAttempts(
  run: Run,
  planned: PlannedAction,
  deadline: Deadline,
  data: Record<string, unknown>,
): Promise<void> {
  const { action, attempts, repeats } = planned;
  const context = contextOf(run, planned, deadline.signal, data);
  // Of a retry wrapper its own work comes once, before the attempts.
  if (action.run) await untilAborted(action.run(context), deadline.signal);
  let failed = 0;
  for (let n = 1; n <= attempts; n++) {
    const mark = run.releases.size;
    try {
      for (const step of planned.steps) await runAction(run, step, deadline);
      if (action.runAfter) await untilAborted(action.runAfter(context), deadline.signal);
      if (!repeats) return;
    } catch (error) {
      const failure = JobFailure.from(deadline.signal.aborted ? deadline.signal.reason : error);
      failed += 1;
      if (!action.retries || attempts === 1) throw failure;
      run.recorder.error(
        `${action.name} failed: ${n} of ${attempts} attempts. '${failure.message}'`,
      );
      if (deadline.signal.aborted || !RETRIED.has(failure.type)) throw failure;
      if (n === attempts && !repeats) throw failure;
      await run.releases.unwind(mark, run.recorder);
      deadline.resume();
    }
    if (n < attempts) await beforeNextAttempt(run, planned, deadline, attempts - n);
  }
  if (failed === 0) return;
  throw new JobFailure("Job", `${failed} retries out of ${attempts} failed for ${action.name}`);
}

async function beforeNextAttempt(
  run: Run,
  { action, level, intervalSeconds, timeoutSeconds }: PlannedAction,
  deadline: Deadline,
  remaining: number,
): Promise<void> {
  if (Date.now() + intervalSeconds * 1000 >= deadline.atMs) {
    const message = `${action.name}: No time left for remaining ${remaining} retries.`;
    throw new JobFailure("Job", message);
  }
  const next = sleep(intervalSeconds * 1000);
  await untilAborted(next, deadline.signal);
  run.recorder.warning(`Retrying: ${level} ${action.name} (timeout ${clockTime(timeoutSeconds)})`);
}

function contextOf(
  run: Run,
  planned: PlannedAction,
  signal: AbortSignal,
  data: Record<string, unknown>,
): RunContext {
  const { action, namespace, level, timeoutSeconds, connectionTimeoutSeconds } = planned;
  return {
    job: run.job,
    slots: slotsOf(run, namespace),
    slotsOf: (other) => slotsOf(run, other),
    namespace,
    level,
    timeoutSeconds,
    connectionTimeoutSeconds,
    signal,
    log: run.recorder,
    defer: (release) => run.releases.add(action.name, release),
    record: (more) => void Object.assign(data, more),
  };
}
