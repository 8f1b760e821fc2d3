import type { JobHead } from "#protocol/queries.ts";
import type { TestResult } from "#protocol/states.ts";
import type { TestMatrix, TestRow } from "../domain/queries/tests-over-time.ts";
import { ENOUGH_CHANCES, isTelling } from "../domain/queries/flaky-tests.ts";
import { addressOf, ExportLinks } from "./export-links.tsx";
import { formatUtc } from "./format-time.ts";
import { Choice, Field } from "./filter-fields.tsx";
import { Page } from "./page.tsx";
import { casePath } from "./query-rows.tsx";
import type { View } from "./view.ts";

export const SHOWN = ["all", "changed", "flaky", "failing"] as const;
const COLUMNS = ["10", "20", "30", "50"] as const;

/** What the address of `/tests` says. */
export interface TestsQuery {
  query?: string | undefined;
  device_type?: string | undefined;
  name?: string | undefined;
  submitter?: string | undefined;
  test?: string | undefined;
  show?: (typeof SHOWN)[number] | undefined;
  jobs?: string | undefined;
  from?: string | undefined;
}

interface TestsProps {
  view: View;
  query: TestsQuery;
  /** Of the rows that are shown, these many there are in all. */
  matrix: TestMatrix;
  rows: readonly TestRow[];
  count: number;
  from: number;
  deviceTypes: string[];
  queries: string[];
}

/** `/tests`: how tests did over the newest jobs, a row each. */
export function TestsPage({ view, query, matrix, rows, count, from, ...choices }: TestsProps) {
  return (
    <Page view={view} title="Tests over time" section="/tests">
      <div class="toolbar">
        <h1>Tests over time</h1>
        <span class="actions">
          <a href="/tests/latest">Latest results</a>
          <a href="/compare">Compare</a>
        </span>
      </div>
      <Filters query={query} {...choices} />
      <Shown query={query} />
      {rows.length === 0 ? (
        <Nothing matrix={matrix} query={query} />
      ) : (
        <>
          <p class="muted">{summary(matrix, rows.length, count, from)}</p>
          <Matrix matrix={matrix} rows={rows} />
        </>
      )}
      <Pages query={query} from={from} shown={rows.length} count={count} />
      <p class="muted key">
        {RESULTS.map((result) => (
          <span>
            <span class={`outcome ${result}`}>{MARKS[result]}</span> {result}
          </span>
        ))}
        <span>
          {`Flaky: how often the result was another one than in the run before, although the build was the same; said from ${ENOUGH_CHANCES + 1} runs on.`}
        </span>
      </p>
      {count > 0 && <ExportLinks path="/tests" query={{ ...query }} />}
    </Page>
  );
}

const RESULTS: readonly TestResult[] = ["pass", "fail", "skip", "unknown"];
const MARKS: Record<TestResult, string> = { pass: "✓", fail: "✕", skip: "–", unknown: "?" };

const summary = (
  { jobs, isCut }: TestMatrix,
  shown: number,
  count: number,
  from: number,
): string => {
  const part =
    shown === count ? `${count} tests` : `Tests ${from + 1} to ${from + shown} of ${count}`;
  const cut = isCut ? " There are more tests than are counted." : "";
  const where = jobs.length === 1 ? "job that has" : `${jobs.length} jobs that have`;
  return `${part} in the newest ${where} results.${cut}`;
};

function Filters({
  query,
  deviceTypes,
  queries,
}: Pick<TestsProps, "query" | "deviceTypes" | "queries">) {
  return (
    <form class="filters" role="search" aria-label="Filter tests">
      <Field name="name" label="Job" value={query.name} />
      <Choice name="device_type" label="Type" options={deviceTypes} value={query.device_type} />
      <Choice name="query" label="Query" options={queries} value={query.query} />
      <Field name="submitter" label="Submitter" value={query.submitter} />
      <Field name="test" label="Test" value={query.test} />
      <label>
        Jobs
        <select name="jobs">
          {COLUMNS.map((columns) => (
            <option selected={columns === (query.jobs ?? "20")}>{columns}</option>
          ))}
        </select>
      </label>
      {query.show && <input type="hidden" name="show" value={query.show} />}
      <button>Show</button>
      {(query.name || query.device_type || query.query || query.submitter || query.test) && (
        <a href="/tests">Clear</a>
      )}
    </form>
  );
}

const Shown = ({ query }: { query: TestsQuery }) => (
  <nav class="tabs" aria-label="Which tests">
    {SHOWN.map((show) => (
      <a
        href={addressOf("/tests", { ...query, from: undefined, show: show === "all" ? "" : show })}
        aria-current={show === (query.show ?? "all") ? "page" : undefined}
      >
        {{ all: "All", changed: "Changed", flaky: "Flaky", failing: "Failing" }[show]}
      </a>
    ))}
  </nav>
);

function Nothing({ matrix, query }: Pick<TestsProps, "matrix" | "query">) {
  const { jobs, looked_at } = matrix;
  if (jobs.length === 0) {
    return (
      <p class="nothing">
        {looked_at === 0
          ? "No job has ended yet."
          : `None of the newest ${looked_at} jobs fits and has results of tests.`}
      </p>
    );
  }
  const which = query.show === undefined || query.show === "all" ? "" : ` is ${query.show}`;
  return <p class="nothing">{`No test of ${jobs.length} jobs${which || " fits"}.`}</p>;
}

function Matrix({ matrix: { jobs }, rows }: Pick<TestsProps, "matrix" | "rows">) {
  let suite: string | undefined;
  return (
    <div class="scroll" tabindex={0} role="region" aria-label="Results by test and job">
      <table class="matrix">
        <thead>
          <tr>
            <th scope="col">Test</th>
            <th scope="col" class="number">
              Flaky
            </th>
            {jobs.map((job) => (
              <ColumnHead job={job} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => {
            const isNew = row.suite !== suite;
            suite = row.suite;
            return (
              <>
                {isNew && (
                  <tr class="suite">
                    <th scope="rowgroup" colspan={jobs.length + 2}>
                      {suite}
                    </th>
                  </tr>
                )}
                <Row row={row} jobs={jobs} />
              </>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

const ColumnHead = ({ job }: { job: JobHead }) => (
  <th scope="col" class="job">
    <a
      href={`/jobs/${job.id}`}
      class={job.health === "Complete" ? undefined : "bad"}
      title={`${job.description}, ${job.device ?? job.device_type}, ${formatUtc(job.submit_time)}, ${job.health}`}
    >
      {job.id}
    </a>
  </th>
);

function Row({ row, jobs }: { row: TestRow; jobs: readonly JobHead[] }) {
  const newest = jobs[row.results.findIndex((result) => result !== undefined)];
  const name = row.set === undefined ? row.name : `${row.set}/${row.name}`;
  return (
    <tr>
      <th scope="row">{newest ? <a href={casePath(newest.id, row)}>{name}</a> : name}</th>
      <td class="number">
        <Flakiness row={row} />
      </td>
      {row.results.map((result, n) => (
        <Cell result={result} href={casePath(jobs[n]?.id ?? 0, row)} />
      ))}
    </tr>
  );
}

function Flakiness({ row: { score, flips, chances } }: { row: TestRow }) {
  if (score === undefined) return <></>;
  const told = `another result than the run before ${flips} of ${chances} times`;
  if (!isTelling({ chances })) {
    return (
      <small class="muted" title={told}>
        too few runs
      </small>
    );
  }
  return (
    <span class={score === 0 ? "muted" : "warn"} title={told}>
      {`${Math.round(score * 100)} %`}
    </span>
  );
}

/** What passed leads nowhere: one wants to go to what did not, also by keyboard. */
function Cell({ result, href }: { result: TestResult | undefined; href: string }) {
  if (result === undefined) return <td></td>;
  return (
    <td class={`outcome ${result}`}>
      {result === "pass" ? (
        MARKS.pass
      ) : (
        <a href={href} aria-label={result}>
          {MARKS[result]}
        </a>
      )}
    </td>
  );
}

export const ROWS_A_PAGE = 100;

function Pages({
  query,
  from,
  shown,
  count,
}: {
  query: TestsQuery;
  from: number;
  shown: number;
  count: number;
}) {
  const before = Math.max(0, from - ROWS_A_PAGE);
  return (
    <nav class="pages" aria-label="Pages of tests">
      {from > 0 && (
        <a rel="prev" href={addressOf("/tests", { ...query, from: before || undefined })}>
          ← Before
        </a>
      )}
      {from + shown < count && (
        <a rel="next" href={addressOf("/tests", { ...query, from: from + shown })}>
          More →
        </a>
      )}
    </nav>
  );
}
