import { timeoutSeconds, DEFAULT_TIMEOUT_SECONDS } from "#protocol/timeouts.ts";
import type { Timeout } from "#protocol/job-actions.ts";
import type { Action, JobContext } from "./action.ts";
import { JobFailure } from "./job-failure.ts";

type Named = Readonly<Record<string, Timeout | undefined>> | null | undefined;

/** The keys of an action block that any block may have: how long, how often, where (JOB.md 4). */
export interface BlockLimits {
  readonly "connection-namespace"?: string | undefined;
  readonly timeout?: Timeout | undefined;
  readonly timeouts?: unknown;
  readonly failure_retry?: unknown;
  readonly failure_retry_interval?: unknown;
  readonly repeat?: unknown;
  readonly protocols?: unknown;
}

/** The enclosing action's limits, which rule 5 divides. */
export interface ParentLimits {
  readonly timeoutSeconds: number;
  readonly attempts: number;
}

/** How long an action may take: the last rule that says something wins (DISPATCHER.md 2). */
export function actionSeconds(
  action: Action,
  job: JobContext,
  block: BlockLimits,
  parent: ParentLimits | undefined,
): number {
  const { timeouts } = job.definition;
  let seconds = action.defaultTimeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS;
  const takes = (timeout: Timeout | undefined): void => {
    if (timeout) seconds = timeoutSeconds(timeout);
  };
  takes(timeouts.action);
  takes(named(job.device.timeouts.actions, action.name));
  takes(block.timeout);
  if (parent && parent.attempts > 1) seconds = Math.trunc(parent.timeoutSeconds / parent.attempts);
  takes(named(timeouts.actions, action.name));
  takes(named(block.timeouts as Named, action.name));
  return seconds;
}

/** How long one wait for the DUT may take (DISPATCHER.md 2). */
export function connectionSeconds(action: Action, job: JobContext): number {
  const { timeouts } = job.definition;
  const timeout =
    named(timeouts.connections, action.name) ??
    named(job.device.timeouts.connections, action.name) ??
    timeouts.connection;
  return timeout ? timeoutSeconds(timeout) : DEFAULT_TIMEOUT_SECONDS;
}

export interface Retries {
  readonly attempts: number;
  /** All attempts are made, and one failure fails the action at the end. */
  readonly repeats: boolean;
  readonly intervalSeconds: number;
}

/**
 * How often an action is tried (DISPATCHER.md 3).
 *
 * @throws JobFailure Job when the block asks for both kinds of repetition.
 */
export function retriesOf(
  action: Action,
  job: JobContext,
  block: BlockLimits,
  section: string,
): Retries {
  const intervalSeconds = count(block.failure_retry_interval) ?? 1;
  if (!action.retries) return { attempts: 1, repeats: false, intervalSeconds };
  if (block.failure_retry !== undefined && block.repeat !== undefined) {
    const message = `${action.name}: a block has failure_retry or repeat, not both`;
    throw new JobFailure("Job", message);
  }
  const repeat = count(block.repeat);
  if (repeat !== undefined) return { attempts: repeat, repeats: true, intervalSeconds };
  const constants = job.device.constants as Record<string, unknown>;
  const boot = section === "boot" ? count(constants["boot_retry"]) : undefined;
  const attempts =
    count(block.failure_retry) ?? boot ?? Math.max(1, count(constants["failure_retry"]) ?? 1);
  return { attempts, repeats: false, intervalSeconds };
}

const named = (timeouts: Named, name: string): Timeout | undefined =>
  timeouts && Object.hasOwn(timeouts, name) ? timeouts[name] : undefined;

/** A whole number of at least 1; LAVA takes a float or a text of digits as well. */
function count(value: unknown): number | undefined {
  const n = Math.trunc(Number(value ?? NaN));
  return n >= 1 ? n : undefined;
}
