import type { JobHealth } from "#protocol/states.ts";
import type { JobRecord } from "./job-record.ts";

/** A job that a device had, as its history strip shows it. */
export interface RecentJob {
  id: number;
  /** Of a job that had several. */
  attempt?: number;
  health: JobHealth;
  isHealthCheck: boolean;
  /** Not everybody who sees the device may see it. */
  isPrivate: boolean;
}

type Ended = Pick<JobRecord, "id" | "health"> &
  Partial<
    Pick<JobRecord, "attempt" | "retried" | "health_check" | "visibility" | "viewing_groups">
  >;

/** How many a device remembers. */
export const MOST_RECENT = 20;

const LETTERS: Readonly<Record<JobHealth, string>> = {
  Complete: "c",
  Incomplete: "i",
  Canceled: "x",
  Unknown: "u",
};
const HEALTHS = Object.fromEntries(
  Object.entries(LETTERS).map(([health, letter]) => [letter, health as JobHealth]),
);

/**
 * A device's recent jobs with one more, the newest first: `4213.1ih 4212c`. Short, as it is written with the device at each
 * job's end, and a thousand bytes are one unit: a board of devices reads nothing else. A job that never had its end there, as
 * one of a group that went back to the queue, is none.
 */
export function withRecent(recent: string | undefined, job: Ended): string | undefined {
  if (job.health === "Unknown") return recent;
  const { attempt = 1, retried, health_check, visibility = "public", viewing_groups = [] } = job;
  const isPrivate = visibility !== "public" || viewing_groups.length > 0;
  const which = attempt > 1 || retried ? `.${attempt}` : "";
  const marks = `${health_check ? "h" : ""}${isPrivate ? "p" : ""}`;
  const entry = `${job.id}${which}${LETTERS[job.health]}${marks}`;
  return [entry, ...(recent ?? "").split(" ").filter(Boolean)].slice(0, MOST_RECENT).join(" ");
}

/** What `withRecent` has written, the newest first; what is none of it is left out. */
export function recentJobs(recent: string | undefined): RecentJob[] {
  return (recent ?? "").split(" ").flatMap((entry) => {
    const [, id, attempt, letter = "", marks = ""] =
      /^(\d{1,12})(?:\.(\d{1,3}))?([cixu])(h?p?)$/.exec(entry) ?? [];
    const health = HEALTHS[letter];
    if (id === undefined || health === undefined) return [];
    const which = attempt === undefined ? {} : { attempt: Number(attempt) };
    const [isHealthCheck, isPrivate] = [marks.includes("h"), marks.includes("p")];
    return [{ id: Number(id), ...which, health, isHealthCheck, isPrivate }];
  });
}
