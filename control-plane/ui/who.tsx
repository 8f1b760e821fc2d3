import { LAB } from "../domain/changes.ts";

interface Props {
  who: string;
  reason?: string | undefined;
  /** Where the name leads, if anywhere. */
  href?: string;
}

/**
 * Who made a change, for people. What the lab did of itself is noted under LAVA's name of the health user; a reader wants to know
 * whether it came of a health check, and of which.
 */
export function Who({ who, reason = "", href }: Props) {
  const isCheck = who === LAB && reason.startsWith("health check");
  const job = isCheck ? /^health check, job (\d+)/.exec(reason)?.[1] : undefined;
  const name = isCheck ? "health check" : who === LAB ? "the lab" : who;
  const to = job === undefined ? href : `/jobs/${job}`;
  return to === undefined ? <>{name}</> : <a href={to}>{name}</a>;
}

/** A submitter's name for people: LAVA's health user submits health checks and nothing else. */
export const submitterText = (name: string): string => (name === LAB ? "health check" : name);
