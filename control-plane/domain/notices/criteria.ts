import type { JobDefinition } from "#protocol/job-definition.ts";
import type { JobHealth } from "#protocol/states.ts";
import type { NoticeRecord } from "./notice-record.ts";

export type Notify = NonNullable<JobDefinition["notify"]>;

/** Beyond these nobody is told: one job must not fill the lab's log of deliveries, nor a hundred mailboxes. */
export const MAX_RECIPIENTS = 50;
export const MAX_CALLBACKS = 20;

/**
 * Why a job's `notify` does not want to be told of this change; undefined when it does (SCHEDULER.md 7). `previous`: how the
 * last job of the same name, device type and submitter ended, which decides about `type`. LAVA compares with what the row of the
 * same job had before, which is hardly ever the case.
 */
export function whyNotWanted(
  { status, type }: Notify["criteria"],
  { state, snapshot: { health } }: Pick<NoticeRecord, "state" | "snapshot">,
  previous: JobHealth | undefined,
): string | undefined {
  const word = state === "Running" ? "running" : health.toLowerCase();
  const isMeant =
    status === "all" || status === word || (status === "finished" && state === "Finished");
  if (!isMeant) return `the job is ${word}, to be told of is ${status}`;
  if (type === undefined) return undefined;
  const isChanged =
    type === "regression"
      ? previous === "Complete" && health === "Incomplete"
      : previous === "Incomplete" && health === "Complete";
  if (isChanged && state === "Finished") return undefined;
  const before = previous === undefined ? "there is none before it" : `the one before: ${previous}`;
  return `no ${type}: the job is ${health}, ${before}`;
}
