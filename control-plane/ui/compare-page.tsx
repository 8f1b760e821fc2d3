import type { ChangedCases, Comparison, JobHead } from "#protocol/queries.ts";
import { ExportLinks } from "./export-links.tsx";
import { Page } from "./page.tsx";
import { casePath } from "./query-rows.tsx";
import { JobStatus, Status } from "./status.tsx";
import type { View } from "./view.ts";

/** What matters most comes first. */
export const KINDS = [
  ["regressions", "Regressions"],
  ["fixed", "Fixed"],
  ["changed", "Other changes"],
  ["added", "New"],
  ["removed", "Gone"],
] as const;

interface CompareProps {
  view: View;
  /** As the address names the sides. */
  sides: { before: string; after: string };
  comparison?: Comparison | undefined;
  refusal?: string | undefined;
}

/** `/compare?before=&after=`: what changed between two jobs, builds or queries. */
export function ComparePage({ view, sides, comparison, refusal }: CompareProps) {
  const title = comparison ? `${sides.before} and ${sides.after} compared` : "Compare";
  return (
    <Page view={view} title={title} section="/tests">
      <h1>{comparison ? `Compare ${sides.before} with ${sides.after}` : "Compare"}</h1>
      <form class="filters" aria-label="What is compared">
        <Side name="before" label="Before" value={sides.before} />
        <Side name="after" label="After" value={sides.after} />
        <button>Compare</button>
        {comparison && (
          <a href={`?${new URLSearchParams({ before: sides.after, after: sides.before })}`}>
            Other way round
          </a>
        )}
      </form>
      {refusal !== undefined && (
        <p class="notice bad" role="alert">
          {refusal}
        </p>
      )}
      {comparison ? (
        <Differences comparison={comparison} sides={sides} />
      ) : (
        <p class="muted">
          A side is a job (<code>4711</code>), the jobs of a build (<code>4711,4712</code>) or the
          newest jobs of a saved query (<code>alice/nightly</code>).
        </p>
      )}
    </Page>
  );
}

const Side = ({ name, label, value }: { name: string; label: string; value: string }) => (
  <label>
    {label}
    <input name={name} value={value} required size={16} maxlength={300} spellcheck={false} />
  </label>
);

function Differences({
  comparison,
  sides,
}: {
  comparison: Comparison;
  sides: CompareProps["sides"];
}) {
  const { measurements, same } = comparison;
  const isSame = KINDS.every(([kind]) => comparison[kind].count === 0);
  return (
    <>
      <div class="sides">
        <Jobs title="Before" jobs={comparison.before} />
        <Jobs title="After" jobs={comparison.after} />
      </div>
      <p class="tally">
        {KINDS.map(([kind, title]) =>
          comparison[kind].count === 0 ? (
            <span class="muted">{`${title} 0`}</span>
          ) : (
            <a href={`#${kind}`}>{`${title} ${comparison[kind].count}`}</a>
          ),
        )}
        <span class="muted">{`Same ${same}`}</span>
      </p>
      {isSame && <p class="notice good">{`All ${same} tests have the same result.`}</p>}
      {KINDS.map(([kind, title]) => (
        <Changes kind={kind} title={title} list={comparison[kind]} comparison={comparison} />
      ))}
      {measurements.count > 0 && <Measurements measurements={measurements} />}
      <ExportLinks path="/compare" query={sides} />
    </>
  );
}

const Jobs = ({ title, jobs }: { title: string; jobs: JobHead[] }) => (
  <section>
    <h2>{title}</h2>
    <ul class="plain">
      {jobs.map((job) => (
        <li>
          <a href={`/jobs/${job.id}`}>{`#${job.id} ${job.description}`}</a> <JobStatus job={job} />{" "}
          <span class="muted">{job.device ?? job.device_type}</span>
        </li>
      ))}
    </ul>
  </section>
);

function Changes({
  kind,
  title,
  list,
  comparison,
}: {
  kind: string;
  title: string;
  list: ChangedCases;
  comparison: Comparison;
}) {
  if (list.count === 0) return <></>;
  // Of a build of several jobs it is not known which one had a case.
  const [one, ...others] = kind === "removed" ? comparison.before : comparison.after;
  const job = others.length === 0 ? one?.id : undefined;
  const more = list.count - list.cases.length;
  return (
    <section id={kind}>
      <h2>{`${title}: ${list.count}`}</h2>
      <table class="listed">
        <thead>
          <tr>
            <th scope="col">Case</th>
            <th scope="col">Suite</th>
            <th scope="col">Before</th>
            <th scope="col">After</th>
          </tr>
        </thead>
        <tbody>
          {list.cases.map((changed) => (
            <tr>
              <td class="name">
                <CaseLink job={job} one={changed} />
              </td>
              <td>{changed.suite}</td>
              <td>{changed.before && <Status value={changed.before} />}</td>
              <td>{changed.after && <Status value={changed.after} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {more > 0 && <p class="muted">{`and ${more} more`}</p>}
    </section>
  );
}

interface Case {
  suite: string;
  set?: string | undefined;
  name: string;
}

function CaseLink({ job, one }: { job: number | undefined; one: Case }) {
  const name = one.set === undefined ? one.name : `${one.set}/${one.name}`;
  return job === undefined ? <>{name}</> : <a href={casePath(job, one)}>{name}</a>;
}

/** Those that moved most come first. */
function Measurements({ measurements }: Pick<Comparison, "measurements">) {
  const more = measurements.count - measurements.cases.length;
  return (
    <section id="measurements">
      <h2>{`Measurements: ${measurements.count}`}</h2>
      <table class="listed">
        <thead>
          <tr>
            <th scope="col">Case</th>
            <th scope="col">Suite</th>
            <th scope="col" class="number">
              Before
            </th>
            <th scope="col" class="number">
              After
            </th>
            <th scope="col" class="number">
              Change
            </th>
          </tr>
        </thead>
        <tbody>
          {measurements.cases.map((one) => (
            <tr>
              <td class="name">{one.set === undefined ? one.name : `${one.set}/${one.name}`}</td>
              <td>{one.suite}</td>
              <td class="number">{`${one.before} ${one.units ?? ""}`}</td>
              <td class="number">{`${one.after} ${one.units ?? ""}`}</td>
              <td class="number">{percentText(one.percent)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {more > 0 && <p class="muted">{`and ${more} more`}</p>}
    </section>
  );
}

const percentText = (percent: number | undefined): string =>
  percent === undefined ? "" : `${percent > 0 ? "+" : ""}${percent} %`;
