import type { Chart, QueryAnswer, QueryView } from "#protocol/queries.ts";
import { Page } from "./page.tsx";
import { Status } from "./status.tsx";
import { Ago } from "./time.tsx";
import type { View } from "./view.ts";

interface QueryProps {
  view: View;
  query: QueryView;
  answer: QueryAnswer;
  chart: Chart;
  /** Of a case that was named. */
  measured?: { name: string; chart: Chart } | undefined;
}

/** `/queries/OWNER/NAME`: the pass rate of a query's jobs over time, and its rows, newest first. */
export function QueryPage({ view, query, answer, chart, measured }: QueryProps) {
  const title = `${query.owner}/${query.name}`;
  return (
    <Page view={view} title={`Query ${title}`} section="/queries">
      <h1>{title}</h1>
      {query.description !== "" && <p>{query.description}</p>}
      <p class="muted">
        {query.conditions.length === 0
          ? "All jobs."
          : query.conditions
              .map(({ table, field, operator, value }) => `${table} ${field} ${operator} ${value}`)
              .join(", ")}
      </p>
      <ChartDrawing chart={chart} unit="%" label="Pass rate" most={100} />
      {measured && (
        <ChartDrawing
          chart={measured.chart}
          unit={measured.chart.units ?? ""}
          label={measured.name}
        />
      )}
      {answer.rows.length === 0 ? (
        <p class="nothing">
          {answer.next_cursor === undefined
            ? "Nothing fits."
            : `Nothing among ${answer.looked_at} jobs; older ones may fit.`}
        </p>
      ) : (
        <Rows answer={answer} now={view.now} />
      )}
      <nav class="pages" aria-label="Pages of rows">
        {answer.next_cursor !== undefined && (
          <a rel="next" href={`?cursor=${encodeURIComponent(answer.next_cursor)}`}>
            Older →
          </a>
        )}
      </nav>
    </Page>
  );
}

const Rows = ({ answer, now }: { answer: QueryAnswer; now: number }) => (
  <table class="query">
    <thead>
      <tr>
        <th scope="col">Job</th>
        <th scope="col">Health</th>
        <th scope="col">Device</th>
        <th scope="col">Submitted</th>
        {answer.entity !== "testjob" && <th scope="col">Suite</th>}
        {answer.entity === "testcase" && <th scope="col">Case</th>}
        {answer.entity !== "testjob" && <th scope="col">Result</th>}
      </tr>
    </thead>
    <tbody>
      {answer.rows.map(({ job, suite, case: one }) => (
        <tr>
          <td class="name">
            <a href={`/jobs/${job.id}`}>{`#${job.id} ${job.description}`}</a>
          </td>
          <td>
            <Status value={job.state === "Finished" ? job.health : job.state} />
          </td>
          <td>{job.device ?? job.device_type}</td>
          <td>
            <Ago iso={job.submit_time} now={now} />
          </td>
          {suite && <td>{suite.name}</td>}
          {suite && <td>{`${suite.pass} passed, ${suite.fail} failed, ${suite.skip} skipped`}</td>}
          {one && <td>{one.suite}</td>}
          {one && <td>{one.set === undefined ? one.name : `${one.set}/${one.name}`}</td>}
          {one && (
            <td>
              <Status value={one.result} />{" "}
              {one.measurement !== undefined && `${one.measurement} ${one.units ?? ""}`}
            </td>
          )}
        </tr>
      ))}
    </tbody>
  </table>
);

const [WIDTH, HEIGHT, LEFT, EDGE] = [800, 200, 60, 10];

interface DrawingProps {
  chart: Chart;
  unit: string;
  label: string;
  /** The top of the axis; the greatest value when absent. */
  most?: number;
}

/** A chart as a picture without scripts; each point leads to its job. */
export function ChartDrawing({ chart: { points }, unit, label, most }: DrawingProps) {
  if (points.length === 0) return <p class="muted">{`${label}: no job has one.`}</p>;
  const values = points.map(({ value }) => value);
  const low = Math.min(0, ...values);
  const high = Math.max(most ?? 0, ...values);
  const x = (n: number) => LEFT + ((WIDTH - LEFT - EDGE) * n) / Math.max(1, points.length - 1);
  const y = (value: number) =>
    HEIGHT - EDGE - ((HEIGHT - 2 * EDGE) * (value - low)) / (high - low || 1);
  const at = points.map(({ value }, n) => `${x(n).toFixed(1)},${y(value).toFixed(1)}`);
  const [first, last] = [points[0], points.at(-1)];
  return (
    <figure>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width="100%" role="img" aria-label={label}>
        {[high, low].map((value) => (
          <>
            <line
              x1={LEFT}
              x2={WIDTH - EDGE}
              y1={y(value)}
              y2={y(value)}
              stroke="currentColor"
              stroke-opacity="0.3"
            />
            <text
              x={LEFT - 6}
              y={y(value) + 4}
              text-anchor="end"
              font-size="12"
              fill="currentColor"
            >
              {`${Number(value.toPrecision(4))} ${unit}`.trim()}
            </text>
          </>
        ))}
        <polyline points={at.join(" ")} fill="none" stroke="currentColor" stroke-width="1.5" />
        {points.map(({ job, value, time }, n) => (
          <a href={`/jobs/${job}`}>
            <circle cx={x(n)} cy={y(value)} r="3" fill="currentColor">
              <title>{`job ${job}, ${time.slice(0, 16)}: ${value} ${unit}`.trim()}</title>
            </circle>
          </a>
        ))}
      </svg>
      <figcaption class="muted">
        {`${label} of ${points.length} jobs, ${first?.time.slice(0, 10)} to ${last?.time.slice(0, 10)}`}
      </figcaption>
    </figure>
  );
}
