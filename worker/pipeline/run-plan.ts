import { setTimeout as sleep } from "node:timers/promises";
import { clockTime } from "#protocol/timeouts.ts";
import type { JobContext, RunContext } from "./action.ts";
import {
  logOf,
  notePassed,
  retriedMarks,
  startTries,
  type Attempt,
  type Tries,
} from "./attempt.ts";
import { startDeadline, untilAborted, type Deadline } from "./deadline.ts";
import { makeGroupCalls } from "./group-calls.ts";
import { JobFailure } from "./job-failure.ts";
import { consoleSlot } from "./job-slots.ts";
import type { PlannedAction } from "./plan.ts";
import type { Recorder } from "./recorder.ts";
import { Releases } from "./releases.ts";
import { Slots } from "./slot.ts";

/** What the actions of one run share. */
export interface Run {
  readonly job: JobContext;
  readonly recorder: Recorder;
  readonly releases: Releases;
  /** Of what no further attempt gives back. */
  readonly lastReleases: Releases;
  readonly slots: Map<string, Slots>;
  /** Of the top-level action that runs. */
  activeNamespace: string;
  readonly tries: Tries;
}

type Outer = Pick<Deadline, "signal" | "atMs"> & Partial<Pick<Deadline, "suspend" | "resume">>;

/** Who may be tried again (DISPATCHER.md 3). */
const RETRIED = new Set(["Infrastructure", "Job", "Test"]);

export const startRun = (job: JobContext, recorder: Recorder): Run => ({
  job,
  recorder,
  releases: new Releases(),
  lastReleases: new Releases(),
  slots: new Map(),
  activeNamespace: "",
  tries: startTries(),
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
export async function runAction(
  run: Run,
  planned: PlannedAction,
  outer: Outer,
  attempt?: Attempt,
): Promise<void> {
  const { action, level, timeoutSeconds, namespace, skipsTimeout } = planned;
  const { recorder } = run;
  if (planned.groupCalls) await callGroup(run, planned, outer);
  run.activeNamespace = action.activeNamespace ?? planned.connectionNamespace;
  if (!level.includes(".")) setPace(run, planned);
  const say = level.includes(".") ? recorder.debug : recorder.info;
  const started = performance.now();
  const data: Record<string, unknown> = {};
  say(`start: ${level} ${action.name} (timeout ${clockTime(timeoutSeconds)}) [${namespace}]`);
  const deadline = startDeadline(timeoutSeconds, outer, (elapsed) =>
    timeoutFailure(planned, elapsed),
  );
  outer.suspend?.();
  let isOver = false;
  const context = {
    ...contextOf(run, planned, deadline.signal, data, () => isOver),
    log: logOf(recorder, attempt),
  };
  let failure: JobFailure | undefined;
  try {
    await runAttempts(run, planned, deadline, context, attempt);
  } catch (error) {
    failure = JobFailure.from(deadline.signal.aborted ? deadline.signal.reason : error);
    // What made it fail stands last, if nobody knows better.
    failure.shownBy({ line: recorder.lines - 1 });
  } finally {
    isOver = true;
    deadline.clear();
  }
  const seconds = (performance.now() - started) / 1000;
  say(`end: ${level} ${action.name} (duration ${clockTime(seconds)}) [${namespace}]`);
  if (failure) data["fail"] = failure.message;
  if (Object.keys(data).length > 0) {
    context.log.result({
      definition: "lava",
      namespace,
      case: action.name,
      level,
      duration: seconds.toFixed(2),
      result: failure ? "fail" : "pass",
      extra: data,
      ...(failure ? retriedMarks(attempt, failure) : {}),
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

/** A call has a time of its own, which alone counts meanwhile. */
async function callGroup(run: Run, planned: PlannedAction, outer: Outer): Promise<void> {
  const { job, recorder: log } = run;
  outer.suspend?.();
  const caller = { job, log, slots: slotsOf(run, planned.namespace), signal: outer.signal };
  await makeGroupCalls(planned.groupCalls ?? [], caller);
  outer.resume?.();
}

/** A console that an earlier part of the job has opened is typed on at the pace of this part. */
function setPace(run: Run, planned: PlannedAction): void {
  const console = slotsOf(run, planned.connectionNamespace).find(consoleSlot);
  if (console) console.characterDelayMs = characterDelayMs(run, planned);
}

const characterDelayMs = ({ job }: Run, { section }: PlannedAction): number =>
  Number((job.device.character_delays as Delays)?.[section] ?? 0);

type Delays = Readonly<Record<string, number | undefined>> | undefined;

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
  context: RunContext,
  around: Attempt | undefined,
): Promise<void> {
  const { action, attempts, repeats, level } = planned;
  // Of a retry wrapper its own work comes once, before the attempts.
  if (action.run) await untilAborted(async () => action.run?.(context), context.signal);
  let failed = 0;
  for (let n = 1; n <= attempts; n++) {
    const mark = run.releases.size;
    const attempt = attemptOf(run, planned, deadline, n, around);
    try {
      await runSteps(run, planned, deadline, context, attempt);
      if (!repeats) {
        if (n > 1) notePassed(run.tries, { action: action.name, level, attempt: n, of: attempts });
        return;
      }
    } catch (error) {
      const failure = JobFailure.from(deadline.signal.aborted ? deadline.signal.reason : error);
      failed += 1;
      if (!action.retries) throw failure;
      run.recorder.error(
        `${action.name} failed: ${n} of ${attempts} attempts. '${failure.message}'`,
      );
      if (deadline.signal.aborted || !RETRIED.has(failure.type)) throw failure;
      if (n === attempts && !repeats) throw failure;
      if (n < attempts) checkTimeLeft(planned, deadline, failure, attempts - n);
      if (!repeats) run.tries.retries += 1;
      deadline.resume();
      await untilAborted(() => run.releases.unwind(mark, run.recorder), deadline.signal);
    }
    if (n < attempts) await pause(run, planned, deadline);
  }
  if (failed === 0) return;
  throw new JobFailure("Job", `${failed} retries out of ${attempts} failed for ${action.name}`);
}

/** What an attempt is made of: the steps, and the work after them. */
async function runSteps(
  run: Run,
  planned: PlannedAction,
  deadline: Deadline,
  context: RunContext,
  attempt: Attempt | undefined,
): Promise<void> {
  const { action, level, namespace, steps } = planned;
  for (const step of steps) await runAction(run, step, deadline, attempt);
  if (!action.runAfter) return;
  const log = logOf(run.recorder, attempt);
  try {
    await untilAborted(async () => action.runAfter?.({ ...context, log }), context.signal);
  } catch (error) {
    const failure = JobFailure.from(context.signal.aborted ? context.signal.reason : error);
    const marks = retriedMarks(attempt, failure);
    // The record of the action itself comes after all attempts.
    if (attempt?.wrapper === planned && marks["retried"]) {
      const extra = { fail: failure.message };
      const names = { definition: "lava", namespace, case: action.name, level };
      log.result({ ...names, result: "fail", extra, ...marks });
    }
    throw failure;
  }
}

/** An attempt of a wrapper that has several; what it is in itself, for any other action. */
function attemptOf(
  run: Run,
  planned: PlannedAction,
  deadline: Deadline,
  n: number,
  around: Attempt | undefined,
): Attempt | undefined {
  if (planned.attempts <= 1) return around;
  const { attempts, repeats } = planned;
  const own = `${n} of ${attempts}`;
  const isRetried = ({ type }: JobFailure): boolean =>
    n < attempts &&
    !repeats &&
    !deadline.signal.aborted &&
    RETRIED.has(type) &&
    hasTimeLeft(planned, deadline);
  const attempt: Attempt = {
    label: around ? `${around.label}, ${own}` : own,
    wrapper: planned,
    startLine: run.recorder.lines,
    retriedBy: (failure) => (isRetried(failure) ? attempt : around?.retriedBy(failure)),
  };
  return attempt;
}

/** @throws JobFailure of the same type when the next attempt would begin too late. */
function checkTimeLeft(
  planned: PlannedAction,
  deadline: Deadline,
  { type, message, evidence }: JobFailure,
  remaining: number,
): void {
  if (hasTimeLeft(planned, deadline)) return;
  const late = new JobFailure(type, `${message}: No time left for remaining ${remaining} retries.`);
  throw evidence ? late.shownBy(evidence) : late;
}

const hasTimeLeft = ({ intervalSeconds }: PlannedAction, { atMs }: Deadline): boolean =>
  performance.now() + intervalSeconds * 1000 < atMs;

async function pause(
  run: Run,
  { action, level, intervalSeconds, timeoutSeconds }: PlannedAction,
  { signal }: Deadline,
): Promise<void> {
  await sleep(intervalSeconds * 1000, undefined, { signal }).catch(() => signal.throwIfAborted());
  run.recorder.warning(`Retrying: ${level} ${action.name} (timeout ${clockTime(timeoutSeconds)})`);
}

function contextOf(
  run: Run,
  planned: PlannedAction,
  signal: AbortSignal,
  data: Record<string, unknown>,
  isOver: () => boolean,
): RunContext {
  const { action, namespace, level, timeoutSeconds, connectionTimeoutSeconds } = planned;
  const later =
    (releases: Releases) =>
    (release: () => Promise<void>): void => {
      releases.add(action.name, release);
      // What an action acquires that was given up long ago is nobody's: it goes back at once.
      if (isOver()) void releases.unwind(releases.size - 1, run.recorder);
    };
  return {
    job: run.job,
    slots: slotsOf(run, namespace),
    connection: slotsOf(run, planned.connectionNamespace),
    slotsOf: (other) => slotsOf(run, other),
    namespace,
    activeNamespace: () => run.activeNamespace,
    level,
    timeoutSeconds,
    connectionTimeoutSeconds,
    characterDelayMs: characterDelayMs(run, planned),
    signal,
    log: run.recorder,
    defer: later(run.releases),
    deferToEnd: later(run.lastReleases),
    record: (more) => void Object.assign(data, more),
  };
}
