import type { JobView } from "#protocol/api.ts";
import { formatDuration } from "./format-time.ts";
import { lineAddress } from "./line-address.ts";
import { depthOf, type Timeline, type TimelineAction } from "./timeline.ts";

interface ChartProps {
  job: Pick<JobView, "attempt" | "retried">;
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
  if (actions.length === 0) return <p class="muted">Nothing has started yet.</p>;
  const start = Math.min(...actions.map((action) => action.start));
  const end = Math.max(start + 1, lastTime, isFinished ? 0 : Math.max(now, lastTime));
  const scale = { job, start, end, isFinished };
  return (
    <>
      {groupsOf(actions).map(([top, ...nested], n) => {
        const isShort = (action: TimelineAction): boolean =>
          !action.failed &&
          action.end !== undefined &&
          action.end - action.start < SHORT * (end - start);
        const short = nested.filter(isShort);
        return (
          <>
            {top && <Bar action={top} {...scale} />}
            {nested
              .filter((action) => !isShort(action))
              .map((action) => (
                <Bar action={action} {...scale} />
              ))}
            {short.length > 0 && (
              <details id={`short-${n}`}>
                <summary>{`${short.length} short ${short.length === 1 ? "step" : "steps"}`}</summary>
                {short.map((action) => (
                  <Bar action={action} {...scale} />
                ))}
              </details>
            )}
          </>
        );
      })}
    </>
  );
}

interface BarProps {
  job: ChartProps["job"];
  action: TimelineAction;
  start: number;
  end: number;
  isFinished: boolean;
}

const WIDTH = 1000;

function Bar({ job, action, start, end, isFinished }: BarProps) {
  const until = action.end ?? end;
  const x = ((action.start - start) / (end - start)) * WIDTH;
  const width = Math.max(6, ((until - action.start) / (end - start)) * WIDTH);
  const outcome = outcomeOf(action, isFinished);
  const took = formatDuration(until - action.start);
  const limit =
    action.timeoutSeconds === undefined
      ? ""
      : ` of ${formatDuration(action.timeoutSeconds * 1000)} allowed`;
  return (
    <a
      class={`bar ${outcome} depth${Math.min(depthOf(action), 5)}`}
      href={lineAddress(action.line, job)}
      title={`${action.level} ${action.name}: ${outcome}, ${took}${limit}`}
    >
      <span class="name">{action.name}</span>
      <svg viewBox={`0 0 ${WIDTH} 10`} preserveAspectRatio="none" aria-hidden="true">
        <rect x={Math.min(x, WIDTH - 6).toFixed(1)} y="0" width={width.toFixed(1)} height="10" />
      </svg>
      <span class="took">
        {outcome === "failed" && <Mark mark="✕" word="failed" />}
        {outcome === "cut-off" && <Mark mark="!" word="cut off" />}
        {took}
      </span>
    </a>
  );
}

const Mark = ({ mark, word }: { mark: string; word: string }) => (
  <>
    <b aria-hidden="true">{mark} </b>
    <span class="hidden">{word}, </span>
  </>
);

function outcomeOf(action: TimelineAction, isFinished: boolean): string {
  if (action.failed) return "failed";
  if (action.end !== undefined) return "done";
  return isFinished ? "cut-off" : "running";
}

/** Each top-level action with what it contains. */
function groupsOf(actions: readonly TimelineAction[]): TimelineAction[][] {
  const groups: TimelineAction[][] = [];
  for (const action of actions) {
    const last = groups.at(-1);
    if (depthOf(action) === 1 || !last) groups.push([action]);
    else last.push(action);
  }
  return groups;
}
