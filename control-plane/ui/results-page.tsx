import type { JobView, ResultView } from "#protocol/api.ts";
import { TEST_RESULTS, type TestResult } from "#protocol/states.ts";
import { JobFrame } from "./job-frame.tsx";
import { ResultCounts } from "./result-counts.tsx";
import { ResultLinks, Suites } from "./results-table.tsx";
import type { View } from "./view.ts";

const ROWS = 1000;

/** What the page's address asks for. */
export interface ResultsQuery {
  result?: TestResult | undefined;
  suite?: string | undefined;
  /** Part of a case's name. */
  q?: string | undefined;
  /** From 1. */
  page?: number | undefined;
  attempt?: number | undefined;
}

interface ResultsPageProps {
  view: View;
  job: JobView;
  results: ResultView[];
  query: ResultsQuery;
}

/** `/jobs/ID/results`: all results of a job, a thousand at a time. */
export function ResultsPage({ view, job, results, query }: ResultsPageProps) {
  const suites = [...new Set(results.map(({ suite }) => suite))];
  const found = results.filter((result) => fits(result, query));
  const page = Math.max(1, query.page ?? 1);
  const shown = found.slice((page - 1) * ROWS, page * ROWS);
  return (
    <JobFrame view={view} job={job} open="/results" what="Results">
      <div class="part-bar">
        <h2>Results</h2>
        <ResultCounts results={results.filter(({ suite }) => suite !== "lava")} />
        <span class="actions">
          <ResultLinks job={job} />
        </span>
      </div>
      <Filter query={query} suites={suites} />
      {found.length === 0 ? (
        <p class="nothing">
          {results.length === 0 ? "There are no results." : "No result fits this filter."}
        </p>
      ) : (
        <div class="all-results">
          <Suites job={job} shown={shown} all={found} lines={`/jobs/${job.id}`} />
        </div>
      )}
      <Pages query={query} page={page} count={found.length} />
    </JobFrame>
  );
}

function fits(result: ResultView, { result: wanted, suite, q }: ResultsQuery): boolean {
  return (
    (wanted ?? result.result) === result.result &&
    (suite === undefined ? result.suite !== "lava" : result.suite === suite) &&
    (q === undefined || result.name.toLowerCase().includes(q.toLowerCase()))
  );
}

const Filter = ({ query, suites }: { query: ResultsQuery; suites: string[] }) => (
  <form class="filters" method="get" role="search" aria-label="Results">
    {query.attempt !== undefined && <input type="hidden" name="attempt" value={query.attempt} />}
    <label>
      Result
      <select name="result">
        <option value="">all</option>
        {TEST_RESULTS.map((result) => (
          <option value={result} selected={result === query.result}>
            {result}
          </option>
        ))}
      </select>
    </label>
    <label>
      Suite
      <select name="suite">
        <option value="">all tests</option>
        {suites.map((suite) => (
          <option value={suite} selected={suite === query.suite}>
            {suite}
          </option>
        ))}
      </select>
    </label>
    <label>
      Case has
      <input name="q" value={query.q ?? ""} maxlength={100} />
    </label>
    <button>Filter</button>
  </form>
);

function Pages({ query, page, count }: { query: ResultsQuery; page: number; count: number }) {
  const pages = Math.ceil(count / ROWS);
  if (pages < 2) return null;
  const to = (number: number): string => {
    const fields = Object.entries({ ...query, page: number }).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)]],
    );
    return `?${new URLSearchParams(fields)}`;
  };
  return (
    <nav class="pages" aria-label="Pages">
      {page > 1 && (
        <a rel="prev" href={to(page - 1)}>
          ← Before
        </a>
      )}
      <span class="muted">{`Page ${page} of ${pages}`}</span>
      {page < pages && (
        <a rel="next" href={to(page + 1)}>
          Next →
        </a>
      )}
    </nav>
  );
}
