import type { ChangedCases, Comparison } from "#protocol/queries.ts";
import { Page } from "./page.tsx";
import { Status } from "./status.tsx";
import type { View } from "./view.ts";

const KINDS = [
  ["regressions", "Regressions"],
  ["fixed", "Fixed"],
  ["changed", "Other changes"],
  ["added", "Added"],
  ["removed", "Removed"],
] as const;

/** `/compare?before=JOB&after=JOB`: what changed between two jobs. */
export function ComparePage({ view, comparison }: { view: View; comparison: Comparison }) {
  const [before, after] = [comparison.before[0], comparison.after[0]];
  const { measurements } = comparison;
  return (
    <Page view={view} title={`Jobs ${before?.id} and ${after?.id}`}>
      <h1>
        <a href={`/jobs/${before?.id}`}>{`#${before?.id}`}</a> to{" "}
        <a href={`/jobs/${after?.id}`}>{`#${after?.id}`}</a>
      </h1>
      <p class="muted">{`${comparison.same} tests have the same result.`}</p>
      {KINDS.map(([kind, title]) => (
        <Changes title={title} list={comparison[kind]} />
      ))}
      {measurements.count > 0 && (
        <section>
          <h2>{`Measurements: ${measurements.count}`}</h2>
          <table>
            <tbody>
              {measurements.cases.map((one) => (
                <tr>
                  <td>{one.suite}</td>
                  <td>{one.set === undefined ? one.name : `${one.set}/${one.name}`}</td>
                  <td class="number">{`${one.before} → ${one.after} ${one.units ?? ""}`}</td>
                  <td class="number">{one.percent === undefined ? "" : `${one.percent} %`}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </Page>
  );
}

const Changes = ({ title, list }: { title: string; list: ChangedCases }) =>
  list.count === 0 ? (
    <></>
  ) : (
    <section>
      <h2>{`${title}: ${list.count}`}</h2>
      <table>
        <tbody>
          {list.cases.map(({ suite, set, name, before, after }) => (
            <tr>
              <td>{suite}</td>
              <td>{set === undefined ? name : `${set}/${name}`}</td>
              <td>{before && <Status value={before} />}</td>
              <td>{after && <Status value={after} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
