import type { JobView, ResultView } from "#protocol/api.ts";
import { attemptQuery, lineAddress } from "./line-address.ts";
import { ResultCounts } from "./result-counts.tsx";
import { Status } from "./status.tsx";

/** More rows than this are not beside the log: failures first, the rest on a page of its own. */
const MAX_ROWS = 300;
/** With more cases than this those that passed are folded away. */
const FEW = 30;

type ResultsJob = Pick<JobView, "id" | "attempt" | "retried">;
interface ResultsProps {
  job: ResultsJob;
  results: ResultView[];
  isFinished: boolean;
}

/** The results by suite and set; those of the job's own actions last, folded. */
export function Results({ job, results, isFinished }: ResultsProps) {
  const cases = results.filter(({ suite }) => suite !== "lava");
  const actions = results.filter(({ suite }) => suite === "lava");
  const shown = shorten(cases);
  return (
    <>
      <p class="counts">
        {cases.length > 0 && <ResultCounts results={cases} />}
        {cases.length === 0 && (
          <span class="muted">{isFinished ? "No test ran." : "No test has ended yet."}</span>
        )}
        {results.length > 0 && <ResultLinks job={job} />}
      </p>
      {shown.length < cases.length && (
        <p class="muted shortened">
          {`${shown.length} of ${cases.length.toLocaleString("en")} results, what did not pass first. `}
          <a href={`/jobs/${job.id}/results${asQuery(attemptQuery(job))}`}>
            {`Show all ${cases.length.toLocaleString("en")}`}
          </a>
        </p>
      )}
      <Suites job={job} shown={shown} all={cases} lines="" isFolded={cases.length > FEW} />
      {actions.length > 0 && (
        <details id="suite-lava">
          <summary>
            lava: the job’s own steps <ResultCounts results={actions} />
          </summary>
          <Rows job={job} results={shorten(actions)} caption="lava" lines="" />
        </details>
      )}
    </>
  );
}

const FORMATS = [
  ["csv", "CSV"],
  ["yaml", "YAML"],
  ["tap", "TAP"],
] as const;

/** Where programs get the results. */
export const ResultLinks = ({ job }: { job: ResultsJob }) => (
  <span class="links">
    <a href={`/api/v1/jobs/${job.id}/results?${attemptQuery(job)}format=json`}>JSON</a>
    <a href={`/api/v1/jobs/${job.id}/results?${attemptQuery(job)}format=junit`}>JUnit</a>
    {FORMATS.map(([format, name]) => (
      <a href={`/api/v1/jobs/${job.id}/results.${format}${asQuery(attemptQuery(job))}`}>{name}</a>
    ))}
  </span>
);

const asQuery = (query: string): string => (query === "" ? "" : `?${query.replace(/&$/, "")}`);

interface SuitesProps {
  job: ResultsJob;
  /** Those that have a row. */
  shown: ResultView[];
  /** Those that count. */
  all: ResultView[];
  /** Path of the page with the log; empty on that page. */
  lines: string;
  /** Those that passed are under a line that counts them. */
  isFolded?: boolean;
}

/** A heading with counts for each suite, and its cases. */
export function Suites({ job, shown, all, lines, isFolded = false }: SuitesProps) {
  const whole = groupBy(all, ({ suite }) => suite);
  const isHidden = ({ result }: ResultView): boolean => isFolded && result === "pass";
  return (
    <>
      {[...groupBy(shown, ({ suite }) => suite)].map(([suite, results], n) => (
        <section class="suite" aria-label={suite}>
          <div class="suite-head">
            <h3>{suite.replace(/^\d+_/, "")}</h3>
            <ResultCounts results={whole.get(suite) ?? results} />
          </div>
          <Sets
            job={job}
            suite={suite}
            results={results.filter((one) => !isHidden(one))}
            lines={lines}
          />
          {results.some(isHidden) && (
            <details class="passed" id={`passed-${n}`}>
              <summary>{`${results.filter(isHidden).length} passed`}</summary>
              <Sets job={job} suite={suite} results={results.filter(isHidden)} lines={lines} />
            </details>
          )}
        </section>
      ))}
    </>
  );
}

const Sets = ({ job, suite, results, lines }: Omit<RowsProps, "caption"> & { suite: string }) => (
  <>
    {[...groupBy(results, ({ set }) => set ?? "")].map(([set, members]) => (
      <>
        {set !== "" && <h4>{set}</h4>}
        <Rows
          job={job}
          results={members}
          caption={set === "" ? suite : `${suite}, set ${set}`}
          lines={lines}
        />
      </>
    ))}
  </>
);

interface RowsProps {
  job: ResultsJob;
  results: ResultView[];
  caption: string;
  lines: string;
}

const Rows = ({ job, results, caption, lines }: RowsProps) => (
  <table class="results">
    <caption class="hidden">{caption}</caption>
    <thead class="hidden">
      <tr>
        <th scope="col">Result</th>
        <th scope="col">Case</th>
        <th scope="col">Measurement</th>
      </tr>
    </thead>
    <tbody>
      {results.map((result) => (
        <tr class={classOf(result)}>
          <td>
            <Status value={result.result} />
          </td>
          <td class="case">
            <a href={lines + lineAddress(result.log_start_line ?? result.log_line, job)}>
              {result.name}
            </a>
            {result.retried && <small>{`failed attempt ${result.attempt ?? ""}`.trim()}</small>}
          </td>
          <td class="number">{measurementOf(result)}</td>
        </tr>
      ))}
    </tbody>
  </table>
);

/** Those that passed can be taken away by the style sheet. */
function classOf({ result, retried }: ResultView): string | undefined {
  const names = [...(result === "pass" ? ["passed"] : []), ...(retried ? ["retried"] : [])];
  return names.length > 0 ? names.join(" ") : undefined;
}

const measurementOf = ({ measurement, units }: ResultView): string =>
  measurement === undefined ? "" : `${Number(measurement.toPrecision(8))} ${units ?? ""}`.trim();

function shorten(results: ResultView[]): ResultView[] {
  if (results.length <= MAX_ROWS) return results;
  const rank = ({ result }: ResultView): number => (result === "pass" ? 1 : 0);
  return results.toSorted((a, b) => rank(a) - rank(b)).slice(0, MAX_ROWS);
}

function groupBy<T>(items: T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}
