import type { ErrorType, Evidence, PassedOnRetry } from "#protocol/failure.ts";
import { clockTime, timeoutSeconds } from "#protocol/timeouts.ts";
import { VERSION } from "#protocol/version.ts";
import type { JobContext } from "./action.ts";
import { startTries, type Tries } from "./attempt.ts";
import { checkPlan } from "./check-plan.ts";
import { startDeadline, untilAborted } from "./deadline.ts";
import { finishGroup, startGroup } from "./group-start.ts";
import { JobFailure } from "./job-failure.ts";
import type { PlannedAction } from "./plan.ts";
import type { Recorder } from "./recorder.ts";
import { runAction, startRun, type Run } from "./run-plan.ts";

export interface JobOutcome {
  readonly result: "pass" | "fail";
  readonly error_type?: ErrorType;
  readonly error_msg?: string;
  readonly evidence?: Evidence;
  readonly retries?: number;
  readonly passed_on_retry?: PassedOnRetry[];
}

export interface JobSignals {
  /** The first request to stop: cleanup and power-off still run. */
  readonly cancel: AbortSignal;
  /** The second one: nobody wants to wait for those either. */
  readonly cancelAgain: AbortSignal;
}

/** All of the cleaning up may take this long (DISPATCHER.md 2). */
const CLEANUP_SECONDS = 300;
const NEVER = { signal: new AbortController().signal, atMs: Infinity };

/**
 * Runs a job from validation to its last record: plan, validate, the actions, finalize, cleanup
 * (DISPATCHER.md 1 and 4). `plan` may throw a JobFailure: it becomes a failed validation. Never throws.
 */
export async function runJob(
  job: JobContext,
  plan: () => PlannedAction[],
  recorder: Recorder,
  signals: JobSignals,
): Promise<JobOutcome> {
  const run = startRun(job, recorder);
  recorder.info(`pumice-worker ${VERSION}`);
  let failure: JobFailure | undefined;
  let actions: PlannedAction[] = [];
  try {
    actions = await validate(run, plan, signals.cancel);
    // As in LAVA, the job's own time begins when all members are there.
    await startGroup(job, recorder, signals.cancel);
    await runActions(run, actions.slice(0, -1), signals.cancel);
  } catch (error) {
    failure = JobFailure.from(signals.cancel.aborted ? signals.cancel.reason : error);
  }
  const finalize = actions.at(-1);
  if (finalize) await runFinalize(run, finalize, signals.cancelAgain);
  await finishGroup(job, recorder, signals.cancelAgain);
  const failed = await cleanUp(run, signals.cancelAgain);
  if (signals.cancelAgain.aborted) failure = JobFailure.from(signals.cancelAgain.reason);
  // As in LAVA, a lab that could not be cleaned outweighs what the job found, but not that it was canceled.
  if (failed && failure?.type !== "Canceled") {
    const evidence = { line: recorder.lines - 1 };
    failure = new JobFailure("Infrastructure", "Failed to clean after job", { evidence });
  }
  return finishJob(recorder, failure, run.tries);
}

/** Plan and check everything before any hardware is touched. */
async function validate(
  run: Run,
  plan: () => PlannedAction[],
  cancel: AbortSignal,
): Promise<PlannedAction[]> {
  const { recorder } = run;
  const seconds = timeoutSeconds(run.job.definition.timeouts.job);
  const deadline = jobDeadline(seconds, cancel);
  const started = performance.now();
  recorder.info(`start: 0 validate`);
  let failure: JobFailure | undefined;
  let actions: PlannedAction[] = [];
  try {
    actions = plan();
    checkPlan(actions);
    const problems = await validateAll(run, actions, deadline.signal);
    if (problems.length > 0) {
      throw new JobFailure("Job", `Invalid job data: ${JSON.stringify(problems)}`);
    }
  } catch (error) {
    failure = JobFailure.from(deadline.signal.aborted ? deadline.signal.reason : error);
  } finally {
    deadline.clear();
  }
  const elapsed = clockTime((performance.now() - started) / 1000);
  recorder.info(`end: 0 validate (duration ${elapsed})`);
  const result = failure ? "fail" : "pass";
  recorder.result({ definition: "lava", case: "validate", result });
  if (failure) throw failure;
  return actions;
}

async function validateAll(
  run: Run,
  actions: readonly PlannedAction[],
  signal: AbortSignal,
): Promise<string[]> {
  const problems: string[] = [];
  for (const { action, namespace, level, steps } of actions) {
    try {
      const context = { job: run.job, namespace, level, signal, log: run.recorder };
      if (action.validate) await untilAborted(async () => action.validate?.(context), signal);
    } catch (error) {
      const failure = JobFailure.from(error);
      // The job's own mistakes are collected, so that all of them are told at once.
      if (signal.aborted || failure.type !== "Job") throw failure;
      problems.push(`${level} ${action.name}: ${failure.message}`);
    }
    problems.push(...(await validateAll(run, steps, signal)));
  }
  return problems;
}

async function runActions(
  run: Run,
  actions: readonly PlannedAction[],
  cancel: AbortSignal,
): Promise<void> {
  const seconds = timeoutSeconds(run.job.definition.timeouts.job);
  const deadline = jobDeadline(seconds, cancel);
  try {
    // Not the job's own end but its signal bounds them, so that the job is blamed for it, not the action.
    const outer = { signal: deadline.signal, atMs: Infinity };
    for (const action of actions) await runAction(run, action, outer);
  } finally {
    deadline.clear();
  }
}

const jobDeadline = (seconds: number, cancel: AbortSignal) =>
  startDeadline(
    seconds,
    { signal: cancel, atMs: Infinity },
    () => new JobFailure("Job", `job timed out after ${seconds} seconds`),
  );

/** Power-off and the consoles' last words, whatever happened; its errors are only logged. */
async function runFinalize(
  run: Run,
  finalize: PlannedAction,
  cancelAgain: AbortSignal,
): Promise<void> {
  try {
    await runAction(run, finalize, { ...NEVER, signal: cancelAgain });
  } catch (error) {
    run.recorder.error(`finalize: ${JobFailure.from(error).message}`);
  }
}

async function cleanUp(run: Run, cancelAgain: AbortSignal): Promise<boolean> {
  const failure = (): JobFailure => new JobFailure("Infrastructure", "cleaning up took too long");
  const deadline = startDeadline(CLEANUP_SECONDS, { ...NEVER, signal: cancelAgain }, failure);
  try {
    // Begun also when nobody will wait for it.
    const unwinding = giveAllBack(run);
    return (await untilAborted(() => unwinding, deadline.signal)) > 0;
  } catch (error) {
    run.recorder.error(JobFailure.from(error).message);
    return true;
  } finally {
    deadline.clear();
  }
}

async function giveAllBack({ releases, lastReleases, recorder }: Run): Promise<number> {
  const failed = await releases.unwind(0, recorder);
  return failed + (await lastReleases.unwind(0, recorder));
}

/** Writes the last records of a job, which every job has (DISPATCHER.md 5.1). What LAVA doesn't have follows its own keys. */
export function finishJob(
  recorder: Recorder,
  failure: JobFailure | undefined,
  tries: Tries = startTries(),
): JobOutcome {
  const more = {
    ...evidenceOf(recorder, failure),
    ...(tries.retries > 0 ? { retries: tries.retries } : {}),
    ...(tries.passed.length > 0 ? { passed_on_retry: tries.passed } : {}),
  };
  if (!failure) {
    recorder.info("Job finished correctly");
    recorder.result({ definition: "lava", case: "job", result: "pass", ...more });
    return { result: "pass", ...more };
  }
  const error_msg = recorder.masked(failure.message) || "Unknown error";
  const error_type = failure.type;
  if (failure.type === "Bug" && failure.cause instanceof Error) {
    recorder.write("exception", failure.cause.stack ?? failure.cause.message);
  }
  recorder.error(`${errorName(error_type)}: ${error_msg}`);
  const fault = { error_msg, error_type, ...more };
  recorder.result({ definition: "lava", case: "job", result: "fail", ...fault });
  return { result: "fail", ...fault };
}

/** Of a regular expression, and of a list of them, this much is shown. */
const MAX_PATTERN_CHARS = 1000;

/** Nobody's fault needs none. */
function evidenceOf(
  recorder: Recorder,
  failure: JobFailure | undefined,
): Pick<JobOutcome, "evidence"> {
  if (!failure?.evidence || failure.type === "Canceled") return {};
  const { pattern, line } = failure.evidence;
  const evidence = {
    ...(pattern ? { pattern: recorder.masked(pattern).slice(0, MAX_PATTERN_CHARS) } : {}),
    ...(line === undefined ? {} : { line }),
  };
  return Object.keys(evidence).length > 0 ? { evidence } : {};
}

function errorName(type: ErrorType): string {
  switch (type) {
    case "Bug":
      return "LAVABug";
    case "Canceled":
      return "JobCanceled";
    case "LAVATimeout":
      return "LAVATimeoutError";
    case "MultinodeTimeout":
      return "MultinodeProtocolTimeoutError";
    case "FastbootDeviceNotFound":
      return type;
    case "Infrastructure":
    case "Configuration":
    case "Job":
    case "Test":
      return `${type}Error`;
  }
}
