import type { ActionLog, JobContext } from "./action.ts";
import { groupSeconds, multinodeSettings, type CallOptions, type Group } from "./group.ts";
import { JobFailure } from "./job-failure.ts";

/** All members must have been started within this time of the first one (MULTINODE.md 3). */
const START_SECONDS = 90;
/** A control plane that doesn't answer knows better than we that this job has ended. */
const FINISH_SECONDS = 10;

/**
 * Before the first action of a group's member: waits until all members have been started, for 90 s, or longer when
 * `protocols.lava-multinode.timeout` is longer. A role with `request: lava-start` then waits until each member of its `expect_role`
 * has sent `lava_start` (MULTINODE.md 3). Nothing in other jobs.
 *
 * @throws JobFailure MultinodeTimeout when they don't come, Job when the job can't be one of a group.
 */
export async function startGroup(
  job: JobContext,
  log: ActionLog,
  signal: AbortSignal,
): Promise<void> {
  const settings = multinodeSettings(job.definition);
  if (!settings) return;
  const group = requireGroup(job);
  const { role, timeout, request, expect_role: expected } = settings;
  const seconds = groupSeconds(timeout, START_SECONDS);
  const startSeconds = Math.max(START_SECONDS, seconds);
  log.info(`lava-multinode: waiting up to ${startSeconds} seconds for all members of the group`);
  if ((await group.start({ timeoutSeconds: startSeconds, signal, log })) === "timeout") {
    const message = `lava-multinode: not all members of the group have started within ${startSeconds} seconds`;
    throw new JobFailure("MultinodeTimeout", message);
  }
  const members = [...group.roles].map(([id, of]) => `${id} (${of})`).join(", ");
  log.info(`lava-multinode: the group is complete: ${members}`);
  if (request !== "lava-start" || typeof expected !== "string") return;
  if (expected === role) {
    const message = `protocols.lava-multinode: request: lava-start: the role ${role} can't wait for itself: expect_role must be another one`;
    throw new JobFailure("Job", message);
  }
  log.info(`lava-multinode: waiting for lava_start of role ${expected} (${seconds} seconds)`);
  await untilHostStarts(group, expected, { timeoutSeconds: seconds, signal, log });
}

async function untilHostStarts(group: Group, role: string, options: CallOptions): Promise<void> {
  const answer = await group.call({ op: "wait-all", id: "lava_start", role }, options);
  if (answer.kind === "ack") return;
  const why =
    answer.kind === "timeout"
      ? `no lava_start of role ${role} within ${options.timeoutSeconds} seconds: it must run "lava-send lava_start"`
      : answer.message;
  throw new JobFailure("MultinodeTimeout", `lava-multinode: ${why}`);
}

/** Last of all, also of a job that failed: the others need not wait for it. Its errors are only logged. */
export async function finishGroup(
  { group, definition }: JobContext,
  log: ActionLog,
  cancelAgain: AbortSignal,
): Promise<void> {
  if (!group || !multinodeSettings(definition)) return;
  const signal = AbortSignal.any([cancelAgain, AbortSignal.timeout(FINISH_SECONDS * 1000)]);
  try {
    await group.finish({ timeoutSeconds: FINISH_SECONDS, signal, log });
  } catch (error) {
    log.debug(
      `lava-multinode: the group was not told of the end: ${JobFailure.from(error).message}`,
    );
  }
}

/** @throws JobFailure Infrastructure where there is no way to the group. */
export function requireGroup({ group }: JobContext): Group {
  if (group) return group;
  const message =
    "a job of a multinode group talks to the others through its control plane, and this runner knows none";
  throw new JobFailure("Infrastructure", message);
}
