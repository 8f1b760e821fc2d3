import type { JobView, ResultView } from "#protocol/api.ts";
import type { CaseRow, JobHead } from "#protocol/queries.ts";
import type { CaseList, Counts, SuiteView } from "#protocol/results.ts";
import type { CaseHistory } from "../domain/queries/case-history.ts";
import { ChartFigure } from "./chart-figure.tsx";
import { addressOf, ExportLinks } from "./export-links.tsx";
import { formatUtc } from "./format-time.ts";
import { attemptQuery } from "./line-address.ts";
import { Page } from "./page.tsx";
import { casePath, suitePath } from "./query-rows.tsx";
import { JobStatus, Status } from "./status.tsx";
import { Ago } from "./time.tsx";
import type { View } from "./view.ts";

type Head = Pick<JobHead, "id" | "description" | "state" | "health">;

/** Where one is: the job, its suites, one of them. */
const Trail = ({ job, suite }: { job: Head; suite?: string }) => (
  <nav class="trail" aria-label="Where this is">
    <a href={`/jobs/${job.id}`}>{`#${job.id} ${job.description}`}</a>
    {" › "}
    <a href={`/jobs/${job.id}/suites`}>Suites</a>
    {suite !== undefined && (
      <>
        {" › "}
        <a href={suitePath(job.id, suite)}>{suite}</a>
      </>
    )}
  </nav>
);

/** `/jobs/ID/suites` */
export const SuitesPage = ({
  view,
  job,
  suites,
}: {
  view: View;
  job: JobView;
  suites: SuiteView[];
}) => (
  <Page view={view} title={`Suites of job ${job.id}`} section="/tests">
    <Trail job={job} />
    <h1>{`Suites of job ${job.id}`}</h1>
    <p>
      <JobStatus job={job} />
    </p>
    {suites.length === 0 ? (
      <p class="nothing">No result has come.</p>
    ) : (
      <SuiteTable job={job.id} suites={suites} />
    )}
    <ResultFiles path={`/api/v1/jobs/${job.id}/results`} />
  </Page>
);

const SuiteTable = ({ job, suites }: { job: number; suites: readonly SuiteView[] }) => (
  <table class="listed">
    <thead>
      <tr>
        <th scope="col">Suite</th>
        {COUNTED.map((result) => (
          <th scope="col" class="number">
            {result}
          </th>
        ))}
      </tr>
    </thead>
    <tbody>
      {suites.map((suite) => (
        <tr>
          <td class="name">
            <a href={suitePath(job, suite.name)}>{suite.name}</a>
          </td>
          {COUNTED.map((result) => (
            <td class={`number ${suite[result] > 0 ? TONES[result] : "muted"}`}>{suite[result]}</td>
          ))}
        </tr>
      ))}
    </tbody>
  </table>
);

const COUNTED = ["pass", "fail", "skip", "unknown"] as const satisfies (keyof Counts)[];
const TONES: Record<keyof Counts, string> = {
  pass: "good",
  fail: "bad",
  skip: "",
  unknown: "warn",
};

/** Those that the API makes: in LAVA's words. */
const ResultFiles = ({ path }: { path: string }) => (
  <p class="exports">
    {"Export "}
    {["csv", "yaml", "json", "tap", "junit.xml"].map((format) => (
      <a href={`${path}.${format}`} download="">
        {format.replace(".xml", "").toUpperCase()}
      </a>
    ))}
  </p>
);

/** `/jobs/ID/suites/SUITE` */
export function SuitePage({
  view,
  job,
  suite,
  list,
}: {
  view: View;
  job: JobView;
  suite: SuiteView;
  list: CaseList;
}) {
  return (
    <Page view={view} title={`${suite.name} of job ${job.id}`} section="/tests">
      <Trail job={job} />
      <h1>{suite.name}</h1>
      <p class="tally">
        {COUNTED.map(
          (result) => suite[result] > 0 && <Status value={result} count={suite[result]} />,
        )}
        <a href={addressOf("/tests", { name: job.description, device_type: job.device_type })}>
          Over time
        </a>
      </p>
      <table class="listed">
        <thead>
          <tr>
            <th scope="col">Case</th>
            <th scope="col">Result</th>
            <th scope="col" class="number">
              Measurement
            </th>
            <th scope="col" class="number">
              Line
            </th>
          </tr>
        </thead>
        <tbody>
          {list.cases.map((one) => (
            <tr class={one.retried ? "retried" : undefined}>
              <td class="name">
                <a href={casePath(job.id, one)}>
                  {one.set === undefined ? one.name : `${one.set}/${one.name}`}
                </a>
                {one.retried && <small>of an attempt that was made again</small>}
              </td>
              <td>
                <Status value={one.result} />
              </td>
              <td class="number">{measured(one)}</td>
              <td class="number">
                <a href={lineOfJob(job, one.log_line)}>{one.log_line + 1}</a>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <nav class="pages" aria-label="Pages of cases">
        {list.next_cursor !== undefined && (
          <a
            rel="next"
            href={addressOf(suitePath(job.id, suite.name), { cursor: list.next_cursor })}
          >
            More →
          </a>
        )}
      </nav>
      <ResultFiles
        path={`/api/v1/jobs/${job.id}/suites/${encodeURIComponent(suite.name)}/results`}
      />
    </Page>
  );
}

const measured = ({ exact, units }: Pick<ResultView, "exact" | "units">): string =>
  exact === undefined ? "" : `${exact} ${units ?? ""}`.trim();

const lineOfJob = (job: Pick<JobView, "id" | "attempt" | "retried">, line: number): string =>
  `/jobs/${job.id}?${attemptQuery(job)}start=${Math.max(0, line - 100)}#L${line + 1}`;

/** `/jobs/ID/suites/SUITE/CASE`: what it was here, and before. */
export function CasePage({
  view,
  job,
  cases,
  history,
}: {
  view: View;
  job: JobView;
  cases: readonly [CaseRow, ...CaseRow[]];
  history: CaseHistory;
}) {
  const [{ suite, set, name }] = cases;
  return (
    <Page
      view={view}
      title={`${name} of job ${job.id}`}
      section="/tests"
      script="chart.js"
      style="charts.css"
    >
      <Trail job={job} suite={suite} />
      <h1>{set === undefined ? name : `${set}/${name}`}</h1>
      {cases.map((one) => (
        <p class="tally">
          <Status value={one.result} />
          {one.measurement !== undefined && (
            <span>{`${one.measurement} ${one.units ?? ""}`.trim()}</span>
          )}
          <a href={lineOfJob(job, one.line)}>{`line ${one.line + 1} of the log`}</a>
          {one.retried && <span class="muted">of an attempt that was made again</span>}
        </p>
      ))}
      {history.chart.points.length > 1 && (
        <ChartFigure chart={history.chart} unit={history.chart.units ?? ""} label={name} />
      )}
      <section>
        <h2>{`In the newest jobs “${job.description}” on ${job.device_type}`}</h2>
        <History history={history} job={job} now={view.now} />
      </section>
      <ExportLinks path={casePath(job.id, { suite, name })} query={{ set }} />
    </Page>
  );
}

const History = ({ history, job, now }: { history: CaseHistory; job: JobView; now: number }) => (
  <table class="listed">
    <thead>
      <tr>
        <th scope="col">Job</th>
        <th scope="col">Result</th>
        <th scope="col" class="number">
          Measurement
        </th>
        <th scope="col">Device</th>
        <th scope="col">When</th>
        <th scope="col">
          <span class="hidden">Compare</span>
        </th>
      </tr>
    </thead>
    <tbody>
      {history.runs.map((run) => (
        <tr class={run.job.id === job.id ? "this" : undefined}>
          <td>
            <a href={casePath(run.job.id, run.case)}>{`#${run.job.id}`}</a>
          </td>
          <td>
            <Status value={run.case.result} />
          </td>
          <td class="number">
            {run.case.measurement === undefined
              ? ""
              : `${run.case.measurement} ${run.case.units ?? ""}`}
          </td>
          <td>{run.job.device ?? run.job.device_type}</td>
          <td class="when" title={formatUtc(run.job.submit_time)}>
            <Ago iso={run.job.submit_time} now={now} />
          </td>
          <td>{run.job.id !== job.id && <a href={comparison(run.job.id, job.id)}>compare</a>}</td>
        </tr>
      ))}
    </tbody>
  </table>
);

/** The older one is the one before. */
const comparison = (a: number, b: number): string =>
  addressOf("/compare", { before: Math.min(a, b), after: Math.max(a, b) });

/** `/tests/latest`: the newest jobs that have results, with their suites. */
export const LatestPage = ({
  view,
  jobs,
  next,
}: {
  view: View;
  jobs: readonly { job: JobHead; suites: readonly SuiteView[] }[];
  next?: string | undefined;
}) => (
  <Page view={view} title="Latest results" section="/tests">
    <div class="toolbar">
      <h1>Latest results</h1>
      <span class="actions">
        <a href="/tests">Tests over time</a>
      </span>
    </div>
    {jobs.length === 0 && <p class="nothing">No job has results yet.</p>}
    {jobs.map(({ job, suites }) => (
      <section class="latest">
        <h2>
          <a href={`/jobs/${job.id}`}>{`#${job.id} ${job.description}`}</a>
        </h2>
        <p class="tally">
          <JobStatus job={job} />
          <span class="muted">{job.device ?? job.device_type}</span>
          <span class="muted">
            <Ago iso={job.submit_time} now={view.now} />
          </span>
        </p>
        <SuiteTable job={job.id} suites={suites} />
      </section>
    ))}
    <nav class="pages" aria-label="Pages of jobs">
      {next !== undefined && (
        <a rel="next" href={addressOf("/tests/latest", { cursor: next })}>
          Older →
        </a>
      )}
    </nav>
    {jobs.length > 0 && <ExportLinks path="/tests/latest" />}
  </Page>
);
