import type { Chart } from "#protocol/queries.ts";
import { formatUtc } from "./format-time.ts";

const [WIDTH, HEIGHT, LEFT, EDGE] = [800, 200, 60, 10];
/** Colours of style/results.css; groups beyond these share the last one. */
const MOST_GROUPS = 6;

interface FigureProps {
  chart: Chart;
  unit: string;
  label: string;
  /** The top of the axis; the greatest value when absent. */
  most?: number;
}

/**
 * Values of jobs over time: drawn here for who has no script, drawn anew by client/chart.ts from the table below it, which says
 * the same in words and leads to the jobs.
 */
export function ChartFigure({ chart, unit, label, most }: FigureProps) {
  const { points } = chart;
  if (points.length === 0) return <p class="muted">{`${label}: no job has one.`}</p>;
  const groups = groupsOf(chart);
  const [first, last] = [points[0]?.time.slice(0, 10), points.at(-1)?.time.slice(0, 10)];
  return (
    <figure class="chart" data-unit={unit} data-label={label} data-most={most}>
      <figcaption>
        {`${label} of ${points.length} jobs, ${first} to ${last}`}
        {groups.length > 1 && (
          <span class="legend">
            {groups.map((group, n) => (
              <span class={`series s${n}`} data-group={group}>
                {group === "" ? "none" : group}
              </span>
            ))}
          </span>
        )}
      </figcaption>
      <div class="plot">
        <Drawing {...{ chart, unit, label }} {...(most === undefined ? {} : { most })} />
      </div>
      <details>
        <summary>The same as a table</summary>
        <PointsTable {...{ chart, unit, label }} hasGroups={groups.length > 1} />
      </details>
    </figure>
  );
}

const groupsOf = ({ points }: Chart): string[] =>
  [...new Set(points.map(({ group = "" }) => group))].slice(0, MOST_GROUPS);

function PointsTable({ chart, unit, label, hasGroups }: FigureProps & { hasGroups: boolean }) {
  return (
    <div class="scroll" tabindex={0} role="region" aria-label={`${label} as a table`}>
      <table class="points">
        <thead>
          <tr>
            <th scope="col">Job</th>
            <th scope="col">When</th>
            <th scope="col" class="number">
              {label}
            </th>
            <th scope="col">{hasGroups ? "Group" : "Results"}</th>
          </tr>
        </thead>
        <tbody>
          {chart.points.toReversed().map((point) => (
            <tr data-time={point.time} data-value={point.value} data-group={point.group ?? ""}>
              <th scope="row">
                <a href={`/jobs/${point.job}`}>{`#${point.job}`}</a>
              </th>
              <td class="when">{formatUtc(point.time)}</td>
              <td class="number">{`${point.exact ?? point.value} ${unit}`.trim()}</td>
              <td>{hasGroups ? point.group : countsOf(point)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const countsOf = ({ pass, fail, skip = 0 }: Chart["points"][number]): string =>
  pass === undefined ? "" : `${pass} passed, ${fail} failed${skip > 0 ? `, ${skip} skipped` : ""}`;

function Drawing({ chart: { points }, unit, label, most }: FigureProps) {
  const values = points.map(({ value }) => value);
  const low = Math.min(0, ...values);
  const high = Math.max(most ?? 0, ...values);
  const x = (n: number) => LEFT + ((WIDTH - LEFT - EDGE) * n) / Math.max(1, points.length - 1);
  const y = (value: number) =>
    HEIGHT - EDGE - ((HEIGHT - 2 * EDGE) * (value - low)) / (high - low || 1);
  const at = points.map(({ value }, n) => `${x(n).toFixed(1)},${y(value).toFixed(1)}`);
  return (
    <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width="100%" role="img" aria-label={label}>
      {[high, low].map((value) => (
        <>
          <line class="axis" x1={LEFT} x2={WIDTH - EDGE} y1={y(value)} y2={y(value)} />
          <text x={LEFT - 6} y={y(value) + 4} text-anchor="end" font-size="12">
            {`${Number(value.toPrecision(4))} ${unit}`.trim()}
          </text>
        </>
      ))}
      <polyline points={at.join(" ")} fill="none" stroke="currentColor" stroke-width="1.5" />
      {points.map(({ job, value, time }, n) => (
        <circle cx={x(n)} cy={y(value)} r="3" fill="currentColor">
          <title>{`job ${job}, ${time.slice(0, 16)}: ${value} ${unit}`.trim()}</title>
        </circle>
      ))}
    </svg>
  );
}
