import type { DryRunJob } from "#protocol/dry-run.ts";
import type { Deps } from "./deps.ts";
import type { TriedDevice } from "./dry-run-devices.ts";
import { expectStart } from "./expect-start.ts";
import type { JobRecord } from "./job-record.ts";
import { suits } from "./suits.ts";
import { lineUp, type Around } from "./waits-for.ts";

/**
 * Where a job would stand in the queue of its device type if it were submitted now, and when it would begin: behind all that wait
 * with its priority or a higher one. Fair share may put it further to the front. When a job of a group begins is not said: it waits for
 * the others. Undefined when no device would come to it.
 */
export async function dryRunPlace(
  deps: Deps,
  around: Around,
  job: JobRecord,
  tried: readonly TriedDevice[],
  isMember: boolean,
): Promise<DryRunJob["waits"]> {
  const choices = tried
    .filter(({ fit }) => fit !== "no")
    .map(({ device, obstacle }) => ({ device, found: obstacle }));
  if (choices.length === 0) return undefined;
  const { line, more } = await lineUp(deps, around, job.device_type);
  const before = line.filter(({ priority }) => priority >= job.priority);
  const rivals = before.filter((other) => choices.some(({ device }) => suits(other, device)));
  const isBeyond = more && before.length === line.length;
  return {
    position: before.length + 1,
    ahead: rivals.length,
    ...(isBeyond ? { more: true } : {}),
    ...(isMember ? {} : await expectStart(deps, { choices, rivals, isBeyond }, around.durations)),
  };
}
