import { depthOf, type TimelineAction } from "../timeline.ts";

/** The lines of an action and of what it contains, which can be folded under its first one. */
export interface LogSection {
  /** 0-based line that says that it began. */
  line: number;
  /** 0-based line of the last; Infinity while it runs. */
  last: number;
  /** 1 for a top-level action. */
  depth: number;
  name: string;
  /** Absent while it runs, and when it was cut off. */
  tookMs?: number;
  failed: boolean;
}

/** Actions within actions within actions begin too often to fold the log by them. */
const MAX_DEPTH = 2;

/** The sections of a log by their first lines, in their order. */
export function sectionsOf(actions: readonly TimelineAction[]): Map<number, LogSection> {
  const shallow = actions.filter((action) => depthOf(action) <= MAX_DEPTH);
  const sections = shallow.map((action, n): LogSection => {
    const { line, name, start, end, failed, endLine } = action;
    const depth = depthOf(action);
    const last = endLine ?? (follower(shallow, n)?.line ?? Infinity) - 1;
    return {
      line,
      last,
      depth,
      name,
      failed,
      ...(end === undefined ? {} : { tookMs: end - start }),
    };
  });
  return new Map(sections.map((section) => [section.line, section]));
}

/** What begins after an action was cut off, and is not within it. */
const follower = (actions: readonly TimelineAction[], n: number): TimelineAction | undefined =>
  actions.slice(n + 1).find((other) => depthOf(other) <= depthOf(actions[n] ?? other));

/** Ranges of lines that are out of sight, without what lies within another of them. */
export function foldedRanges(
  sections: ReadonlyMap<number, LogSection>,
  folded: ReadonlySet<number>,
): { from: number; to: number }[] {
  const ranges: { from: number; to: number }[] = [];
  for (const { line, last } of sections.values()) {
    if (!folded.has(line) || line <= (ranges.at(-1)?.to ?? -1)) continue;
    ranges.push({ from: line + 1, to: last });
  }
  return ranges;
}
