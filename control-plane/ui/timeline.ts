import type { LogPage } from "#protocol/api.ts";

/** One run of one action, as its `start:` and `end:` records tell it (DISPATCHER.md 1). */
export interface TimelineAction {
  /** `2.1`; a retry has the level of the run before it. */
  level: string;
  name: string;
  /** Milliseconds since 1970. */
  start: number;
  /** Absent while it runs, and for good when the job was cut off. */
  end?: number;
  timeoutSeconds?: number;
  /** 0-based line of its `start:` record. */
  line: number;
  /** 0-based line of its `end:` record. */
  endLine?: number;
  /** 0-based line of the last error that was reported while it ran. */
  errorLine?: number;
  failed: boolean;
}

/** What a log tells about its actions, up to the line `next`. */
export interface Timeline {
  next: number;
  /** Time of the last record, milliseconds since 1970. */
  lastTime: number;
  actions: readonly TimelineAction[];
}

export const EMPTY_TIMELINE: Timeline = { next: 0, lastTime: 0, actions: [] };

/** Runs of actions beyond this many are left out. */
const MAX_ACTIONS = 2000;
/** No runner writes a longer one. */
const MAX_STEP_CHARS = 500;
const START = /^start: (\d+(?:\.\d+)*) (\S+)(?: \(timeout (\d+):(\d\d):(\d\d)\))?(?: \[.*\])?$/;
const END = /^end: (\d+(?:\.\d+)*) (\S+)(?: \(duration [\d:.]+\))?(?: \[.*\])?$/;

/**
 * The timeline with the records that follow `timeline.next`. Only what the runner itself says counts: a DUT may
 * print `start: 1 ...` as it likes.
 */
export function extendTimeline(timeline: Timeline, records: LogPage["records"]): Timeline {
  const actions = timeline.actions.map((action) => ({ ...action }));
  let { lastTime, next } = timeline;
  for (const { dt, lvl, msg } of records) {
    const time = typeof dt === "string" ? Date.parse(dt) : Number.NaN;
    if (Number.isFinite(time)) lastTime = time;
    if (typeof msg === "string" && (lvl === "info" || lvl === "debug")) {
      readStep(actions, msg, lastTime, next);
    } else if (lvl === "error" || lvl === "exception") {
      for (const action of actions) if (action.end === undefined) action.errorLine = next;
    } else if (lvl === "results" && isRecord(msg)) markFailure(actions, msg);
    next += 1;
  }
  return { next, lastTime, actions };
}

/** The deepest action that failed last: where to look first. */
export function failedAction({ actions }: Timeline): TimelineAction | undefined {
  let found: TimelineAction | undefined;
  for (const action of actions) {
    if (action.failed && depthOf(action) >= (found ? depthOf(found) : 0)) found = action;
  }
  return found;
}

/** The 0-based line to look at first for why an action failed. */
export const failureLineOf = ({ errorLine, endLine, line }: TimelineAction): number =>
  errorLine ?? endLine ?? line;

/** How a run of an action went; `retried`: it failed, and was made again. What has no end in a job that is Finished was cut off. */
export type Outcome = "done" | "failed" | "retried" | "cut-off" | "running";

export function outcomeOf(action: TimelineAction, isFinished: boolean, isLast = true): Outcome {
  if (action.failed) return isLast ? "failed" : "retried";
  if (action.end !== undefined) return "done";
  return isFinished ? "cut-off" : "running";
}

export interface Run {
  /** Which run of the action it is within one of its parent, from 1: what is tried again keeps its level and name. */
  run: number;
  /** Neither it nor what it is a part of was tried again. */
  isLast: boolean;
}

/** The runs of actions, in their order. */
export function runsOf(actions: readonly TimelineAction[]): Run[] {
  const counts = new Map<string, number>();
  /** Index of the run that is under way, or was last, by level. */
  const current = new Map<string, number>();
  const runs = actions.map(({ level, name }, index) => {
    const parent = current.get(level.slice(0, Math.max(0, level.lastIndexOf("."))));
    const key = `${parent ?? ""} ${level} ${name}`;
    const run = (counts.get(key) ?? 0) + 1;
    counts.set(key, run);
    current.set(level, index);
    return { parent, key, run };
  });
  const last: boolean[] = [];
  for (const { parent, key, run } of runs) {
    last.push((parent === undefined || last[parent] === true) && run === counts.get(key));
  }
  return runs.map(({ run }, index) => ({ run, isLast: last[index] === true }));
}

/** 1 for a top-level action. */
export const depthOf = ({ level }: TimelineAction): number => level.split(".").length;

function readStep(actions: TimelineAction[], msg: string, time: number, line: number): void {
  if (msg.length > MAX_STEP_CHARS) return;
  const started = START.exec(msg);
  if (started && actions.length < MAX_ACTIONS) {
    const [, level = "", name = "", hours, minutes, seconds] = started;
    const timeout = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
    actions.push({
      level,
      name,
      start: time,
      line,
      failed: false,
      ...(Number.isFinite(timeout) ? { timeoutSeconds: timeout } : {}),
    });
    return;
  }
  const [, level, name] = END.exec(msg) ?? [];
  const open = actions.findLast(
    (action) => action.level === level && action.name === name && action.end === undefined,
  );
  if (open) Object.assign(open, { end: time, endLine: line });
}

/** An action that failed has a result record of its own, and so has each of its ancestors (DISPATCHER.md 7.4). */
function markFailure(actions: TimelineAction[], msg: Record<string, unknown>): void {
  if (msg["definition"] !== "lava" || msg["result"] !== "fail") return;
  const action = actions.findLast(
    ({ level, name }) => level === msg["level"] && name === msg["case"],
  );
  if (action) action.failed = true;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
