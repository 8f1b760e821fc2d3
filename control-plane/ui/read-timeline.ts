import type { JobView } from "#protocol/api.ts";
import type { Deps } from "../domain/deps.ts";
import { readLog } from "../domain/job-log.ts";
import type { Principal } from "../domain/principal.ts";
import { EMPTY_TIMELINE, extendTimeline, type Timeline } from "./timeline.ts";

const MAX_JOBS = 50;
/** Pages of the log, and about the time, that one request reads at most; the next request goes on from there. */
const MAX_PAGES = 40;
const MAX_READ_MS = 3000;

export type TimelineReader = (principal: Principal, job: JobView) => Promise<Timeline>;

/** Reads jobs' timelines, and of a log that it knows only what is new. */
export function createTimelineReader(deps: Deps): TimelineReader {
  const known = new Map<string, Timeline>();
  return async (principal, job) => {
    const { attempt = 1 } = job;
    const name = `${job.id}.${attempt}`;
    let timeline = known.get(name) ?? EMPTY_TIMELINE;
    const deadline = deps.system.now() + MAX_READ_MS;
    for (let page = 0; page < MAX_PAGES && timeline.next < job.log_lines; page++) {
      if (deps.system.now() > deadline) break;
      const { records } = await readLog(deps, principal, job.id, { start: timeline.next, attempt });
      if (records.length === 0) break;
      timeline = extendTimeline(timeline, records);
    }
    known.delete(name);
    known.set(name, timeline);
    const [oldest] = known.keys();
    if (known.size > MAX_JOBS && oldest !== undefined) known.delete(oldest);
    return timeline;
  };
}
