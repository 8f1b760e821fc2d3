import type { Chart, QueryAnswer, QueryView } from "#protocol/queries.ts";
import { conditionText } from "../domain/queries/conditions.ts";
import { ChartFigure } from "./chart-figure.tsx";
import { addressOf, ExportLinks } from "./export-links.tsx";
import { Page } from "./page.tsx";
import { queryPath, sharedWith } from "./queries-page.tsx";
import { Field } from "./filter-fields.tsx";
import { QueryRows } from "./query-rows.tsx";
import type { View } from "./view.ts";

/** What is drawn beside the rows, by the address. */
export interface Drawn {
  case?: string | undefined;
  suite?: string | undefined;
  group_by?: string | undefined;
}

interface QueryProps {
  view: View;
  query: QueryView;
  answer: QueryAnswer;
  chart: Chart;
  /** Of a case that was named. */
  measured?: { name: string; chart: Chart } | undefined;
  drawn: Drawn;
  mayChange: boolean;
}

/** `/queries/OWNER/NAME`: the pass rate of a query's jobs over time, and its rows, newest first. */
export function QueryPage({ view, query, answer, chart, measured, drawn, mayChange }: QueryProps) {
  const title = `${query.owner}/${query.name}`;
  const path = queryPath(query);
  return (
    <Page
      view={view}
      title={`Query ${title}`}
      section="/queries"
      script="chart.js"
      style="charts.css"
    >
      <div class="toolbar">
        <h1>{title}</h1>
        <span class="actions">
          <a href={addressOf("/tests", { query: title })}>Tests over time</a>
          {mayChange && !view.archive && (
            <a class="button" href={`${path}/edit`}>
              Edit
            </a>
          )}
        </span>
      </div>
      {query.description !== "" && <p>{query.description}</p>}
      <p class="conditions muted">
        {query.conditions.length === 0 && "All jobs. "}
        {query.conditions.map((one) => (
          <code>{conditionText(one)}</code>
        ))}
        {`Shared with ${sharedWith(query)}.`}
      </p>
      <ChartFigure chart={chart} unit="%" label="Pass rate" most={100} />
      {measured && (
        <ChartFigure
          chart={measured.chart}
          unit={measured.chart.units ?? ""}
          label={measured.name}
        />
      )}
      <form class="filters" aria-label="What is drawn">
        <Field name="case" label="Measurement of case" value={drawn.case} />
        <Field name="suite" label="Suite" value={drawn.suite} />
        <Field name="group_by" label="Lines by attribute" value={drawn.group_by} />
        <button>Draw</button>
      </form>
      <h2>Rows</h2>
      <QueryRows answer={answer} now={view.now} />
      <nav class="pages" aria-label="Pages of rows">
        {answer.next_cursor !== undefined && (
          <a rel="next" href={addressOf(path, { ...drawn, cursor: answer.next_cursor })}>
            Older →
          </a>
        )}
      </nav>
      <ExportLinks path={path} what={`the newest ${query.limit}`} />
    </Page>
  );
}
