import type { DeviceConfig, TextVersion } from "#protocol/lab.ts";
import { readContext } from "#protocol/job-definition.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { deviceBlob } from "./blob-names.ts";
import { deviceConfig, requireSeeingTexts } from "./device-texts.ts";
import { attemptOf, getAttempt } from "./job-record.ts";
import { readDefinition } from "./jobs.ts";
import { MAX_PLANNED_CHARS } from "./plan-job.ts";
import type { Principal } from "./principal.ts";
import { listVersions } from "./texts.ts";
import { getVisibleJob } from "./visible.ts";

/** The configuration that a job ran with. */
export interface JobDevice {
  hostname: string;
  /** As the job's worker got it. */
  kept?: string;
  /**
   * Where it was not kept: made again from the dictionary as it was when the job began, with the job's context and the templates of
   * today.
   */
  config?: DeviceConfig;
  /** Versions of the dictionary that came after the job's start, the newest first. */
  newer: TextVersion[];
  /** Why there is no configuration. */
  problem?: string;
}

/** Versions that are looked through for the one of the job's start. */
const PAGE = 10;
const MOST_PAGES = 5;

/**
 * The device of a job with its configuration. Undefined for a job that has none yet. What whoever asks may not see of the device
 * is a `problem`. Throws `not_found`.
 */
export async function jobDevice(
  deps: Deps,
  principal: Principal,
  id: number,
  attempt?: number,
): Promise<JobDevice | undefined> {
  const job = await getVisibleJob(deps, principal, id, attempt);
  const host = job.host_job === undefined ? job : await getAttempt(deps, job.host_job);
  const hostname = host.device;
  if (hostname === undefined) return undefined;
  try {
    await requireSeeingTexts(deps, principal, hostname);
    const newer = await versionsSince(deps, hostname, host.start_time ?? job.submit_time);
    const kept = await deps.blobs.get(deviceBlob(id, attemptOf(job)));
    if (kept) return { hostname, kept: new TextDecoder().decode(kept), newer };
    const definition = await readDefinition(deps, principal, id);
    if (definition.length > MAX_PLANNED_CHARS) {
      const problem = "the job is too large for its device's configuration to be made again";
      return { hostname, newer, problem };
    }
    const context = readContext(definition);
    const now = await deviceConfig(deps, principal, hostname, { context });
    const then = now.version - newer.length;
    const isSame = newer.length === 0 || then < 1;
    if (isSame) return { hostname, config: now, newer };
    const old = await deviceConfig(deps, principal, hostname, { context, version: then });
    return { hostname, config: old, newer };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { hostname, newer: [], problem: error.message };
  }
}

async function versionsSince(deps: Deps, hostname: string, since: string): Promise<TextVersion[]> {
  const newer: TextVersion[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const list = await listVersions(deps, "device", hostname, { limit: PAGE, cursor });
    for (const version of list.versions) {
      if (version.time <= since) return newer;
      newer.push(version);
    }
    cursor = list.next_cursor;
    if (cursor === undefined) break;
  }
  return newer;
}
