import type { JobView } from "#protocol/api.ts";
import { formatDuration } from "./format-time.ts";
import { lineAddress } from "./line-address.ts";
import {
  depthOf,
  outcomeOf,
  runsOf,
  type Outcome,
  type Timeline,
  type TimelineAction,
} from "./timeline.ts";

interface ChartProps {
  job: Pick<JobView, "attempt" | "retried" | "log_removed">;
  timeline: Timeline;
  /** Whether the job is Finished: then what has no end was cut off. */
  isFinished: boolean;
  now: number;
}

/** Part of the whole below which a nested action that went well is folded away. */
const SHORT = 0.004;

/** The job's actions as bars over their time, each linked to its first line in the log. */
export function TimelineChart({ job, timeline, isFinished, now }: ChartProps) {
  const { actions, lastTime } = timeline;
  if (actions.length === 0) {
    const ended = job.log_removed ? "It was removed with the log." : "No action is in its log.";
    return <p class="muted">{isFinished ? ended : "Nothing has started yet."}</p>;
  }
  const start = Math.min(...actions.map((action) => action.start));
  const end = Math.max(start + 1, lastTime, isFinished ? 0 : Math.max(now, lastTime));
  const runs = runsOf(actions);
  const bars = actions.map((action, index): BarProps => {
    const { run = 1, isLast = true } = runs[index] ?? {};
    return { job, action, start, end, run, outcome: outcomeOf(action, isFinished, isLast) };
  });
  const isShort = ({ action, outcome }: BarProps): boolean =>
    outcome === "done" &&
    depthOf(action) > 1 &&
    (action.end ?? end) - action.start < SHORT * (end - start);
  return (
    <>
      <p class="axis" aria-hidden="true">
        <span>0</span>
        <span>{formatDuration(end - start)}</span>
      </p>
      <ol class="bars">
        {groupsOf(bars).map((group, n) => {
          const short = group.filter(isShort);
          return (
            <>
              {withAttempts(group.filter((bar) => !isShort(bar)))}
              {short.length > 0 && (
                <li>
                  <details id={`short-${n}`}>
                    <summary>{`${short.length} short ${short.length === 1 ? "step" : "steps"}`}</summary>
                    <ol class="bars">{withAttempts(short)}</ol>
                  </details>
                </li>
              )}
            </>
          );
        })}
      </ol>
    </>
  );
}

/** The bars, and before the first one of each attempt but the first a line that says so. */
function withAttempts(bars: BarProps[]) {
  let told = "";
  return bars.map((bar) => {
    const { run, action } = bar;
    const attempt = `${action.level.slice(0, action.level.lastIndexOf("."))} ${run}`;
    const isNew = run > 1 && told !== attempt;
    if (isNew) told = attempt;
    return (
      <>
        {isNew && <li class={`again depth${Math.min(depthOf(action), 5)}`}>{`Attempt ${run}`}</li>}
        <li>
          <Bar {...bar} />
        </li>
      </>
    );
  });
}

interface BarProps {
  job: ChartProps["job"];
  action: TimelineAction;
  start: number;
  end: number;
  /** From 1. */
  run: number;
  outcome: Outcome;
}

const WIDTH = 1000;
const SAID: Partial<Record<Outcome, readonly [mark: string | undefined, words: string]>> = {
  failed: ["✕", "failed"],
  retried: ["↻", "failed and was tried again"],
  "cut-off": ["!", "cut off"],
  running: [undefined, "running"],
};

function Bar({ job, action, start, end, run, outcome }: BarProps) {
  const until = action.end ?? end;
  const x = ((action.start - start) / (end - start)) * WIDTH;
  const width = Math.max(6, ((until - action.start) / (end - start)) * WIDTH);
  const took = formatDuration(until - action.start);
  const [mark, words] = SAID[outcome] ?? [];
  const limit =
    action.timeoutSeconds === undefined
      ? ""
      : ` of ${formatDuration(action.timeoutSeconds * 1000)} allowed`;
  const attempt = run > 1 ? `, attempt ${run}` : "";
  return (
    <a
      class={`bar ${outcome} depth${Math.min(depthOf(action), 5)}`}
      href={lineAddress(action.line, job)}
    >
      <span class="name" aria-hidden="true">
        {action.name}
      </span>
      <svg viewBox={`0 0 ${WIDTH} 10`} preserveAspectRatio="none" aria-hidden="true">
        <rect x={Math.min(x, WIDTH - 6).toFixed(1)} y="0" width={width.toFixed(1)} height="10" />
      </svg>
      <span class="took" aria-hidden="true">
        {mark !== undefined && <b>{mark} </b>}
        {took}
      </span>
      <span class="tip">{`${action.level} ${action.name}${attempt}: ${words ?? "done"}, ${took}${limit}`}</span>
    </a>
  );
}

/** Each top-level action with what it contains. */
function groupsOf(bars: readonly BarProps[]): BarProps[][] {
  const groups: BarProps[][] = [];
  for (const bar of bars) {
    const last = groups.at(-1);
    if (depthOf(bar.action) === 1 || !last) groups.push([bar]);
    else last.push(bar);
  }
  return groups;
}
