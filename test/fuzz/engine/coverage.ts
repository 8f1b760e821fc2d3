import { Session, type Profiler } from "node:inspector";

type Range = readonly [start: number, end: number];

/** What of our own sources has run, as V8 counts it: functions and the blocks in them. */
export interface Coverage {
  /** Whether something ran for the first time since `start`; forgets what ran since the last look. */
  hasNew(): boolean;
  /** The same, and it stays new. */
  peek(): boolean;
  /** Functions that ran at all. */
  readonly functions: number;
  stop(): void;
}

/** Begins to count in this thread. A look takes a few milliseconds. */
export function startCoverage(): Coverage {
  const session = new Session();
  session.connect();
  // These answer before they return.
  session.post("Profiler.enable");
  session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  /** By function: the blocks that have never run. */
  const dark = new Map<string, readonly Range[]>();
  const take = (): Profiler.ScriptCoverage[] => {
    let found: Profiler.ScriptCoverage[] = [];
    session.post("Profiler.takePreciseCoverage", (error, answer) => {
      if (error) throw error;
      found = answer.result;
    });
    return found.filter(({ url }) => /\/(?:control-plane|worker)\//.test(url));
  };
  const look = (isToKeep: boolean): boolean => {
    let isNew = false;
    for (const { url, functions } of take()) {
      for (const { ranges } of functions) {
        const [whole, ...blocks] = ranges;
        if (!whole || whole.count === 0) continue;
        const key = `${url}:${whole.startOffset}:${whole.endOffset}`;
        const before = dark.get(key);
        const now = darkOf(blocks);
        const left = before ? intersection(before, now) : now;
        if (before && sizeOf(left) >= sizeOf(before)) continue;
        isNew = true;
        if (isToKeep) dark.set(key, left);
      }
    }
    return isNew;
  };
  return {
    hasNew: () => look(true),
    peek: () => look(false),
    get functions() {
      return dark.size;
    },
    stop() {
      session.post("Profiler.stopPreciseCoverage");
      session.disconnect();
    },
  };
}

/** Blocks that did not run. */
const darkOf = (blocks: readonly Profiler.CoverageRange[]): Range[] =>
  blocks
    .filter(({ count }) => count === 0)
    .map(({ startOffset, endOffset }) => [startOffset, endOffset]);

const sizeOf = (ranges: readonly Range[]): number =>
  ranges.reduce((sum, [start, end]) => sum + end - start, 0);

function intersection(some: readonly Range[], others: readonly Range[]): Range[] {
  return some.flatMap(([start, end]) =>
    others
      .map(([from, to]): Range => [Math.max(start, from), Math.min(end, to)])
      .filter(([from, to]) => from < to),
  );
}
