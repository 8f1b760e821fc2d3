import type { JobView, ResultView } from "#protocol/api.ts";
import { attemptQuery, lineAddress } from "./line-address.ts";
import { ResultCounts } from "./result-counts.tsx";
import { Status } from "./status.tsx";

/** More rows than this are not shown: failures first, the rest by download. */
const MAX_ROWS = 1000;

interface ResultsProps {
  job: Pick<JobView, "id" | "attempt" | "retried">;
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
        {results.length > 0 && (
          <span class="links">
            <a href={`/api/v1/jobs/${job.id}/results?${attemptQuery(job)}format=json`}>JSON</a>
            <a href={`/api/v1/jobs/${job.id}/results?${attemptQuery(job)}format=junit`}>JUnit</a>
            {[
              ["csv", "CSV"],
              ["yaml", "YAML"],
              ["tap", "TAP"],
            ].map(([format, name]) => (
              <a href={`/api/v1/jobs/${job.id}/results.${format}?${attemptQuery(job)}`}>{name}</a>
            ))}
          </span>
        )}
      </p>
      {shown.length < cases.length && (
        <p class="muted">{`${shown.length} of ${cases.length} results, what did not pass first.`}</p>
      )}
      {[...groupBy(shown, ({ suite }) => suite)].map(([suite, members]) => (
        <Suite job={job} suite={suite} results={members} />
      ))}
      {actions.length > 0 && (
        <details id="suite-lava">
          <summary>
            lava: the job’s own steps <ResultCounts results={actions} />
          </summary>
          <Rows job={job} results={shorten(actions)} caption="lava" />
        </details>
      )}
    </>
  );
}

function Suite({ job, suite, results }: Pick<ResultsProps, "job" | "results"> & { suite: string }) {
  return (
    <section class="suite" aria-label={suite}>
      <h3>{suite.replace(/^\d+_/, "")}</h3>
      {[...groupBy(results, ({ set }) => set ?? "")].map(([set, members]) => (
        <>
          {set !== "" && <h4>{set}</h4>}
          <Rows job={job} results={members} caption={set === "" ? suite : `${suite}, set ${set}`} />
        </>
      ))}
    </section>
  );
}

const Rows = ({
  job,
  results,
  caption,
}: Pick<ResultsProps, "job" | "results"> & { caption: string }) => (
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
        <tr class={result.retried ? "retried" : undefined}>
          <td>
            <Status value={result.result} />
          </td>
          <td class="case">
            <a href={lineAddress(result.log_start_line ?? result.log_line, job)}>{result.name}</a>
            {result.retried && <small>{`failed attempt ${result.attempt ?? ""}`.trim()}</small>}
          </td>
          <td class="number">{measurementOf(result)}</td>
        </tr>
      ))}
    </tbody>
  </table>
);

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
