import type { QueryAnswer } from "#protocol/queries.ts";
import { JobStatus, Status } from "./status.tsx";
import { Ago } from "./time.tsx";

/** What a query found, newest first, or why there is nothing. */
export function QueryRows({ answer, now }: { answer: QueryAnswer; now: number }) {
  if (answer.rows.length === 0) {
    const told =
      answer.next_cursor === undefined
        ? "Nothing fits."
        : `Nothing among ${answer.looked_at} jobs; older ones may fit.`;
    return <p class="nothing">{told}</p>;
  }
  return (
    <table class="listed query">
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
        {answer.rows.map((row) => (
          <Row row={row} now={now} />
        ))}
      </tbody>
    </table>
  );
}

const Row = ({
  row: { job, suite, case: one },
  now,
}: {
  row: QueryAnswer["rows"][number];
  now: number;
}) => (
  <tr>
    <td class="name">
      <a href={`/jobs/${job.id}`}>{`#${job.id} ${job.description}`}</a>
    </td>
    <td>
      <JobStatus job={job} />
    </td>
    <td>{job.device ?? job.device_type}</td>
    <td class="when">
      <Ago iso={job.submit_time} now={now} />
    </td>
    {suite && (
      <td>
        <a href={suitePath(job.id, suite.name)}>{suite.name}</a>
      </td>
    )}
    {suite && <td>{`${suite.pass} passed, ${suite.fail} failed, ${suite.skip} skipped`}</td>}
    {one && (
      <td>
        <a href={suitePath(job.id, one.suite)}>{one.suite}</a>
      </td>
    )}
    {one && (
      <td>
        <a href={casePath(job.id, one)}>
          {one.set === undefined ? one.name : `${one.set}/${one.name}`}
        </a>
      </td>
    )}
    {one && (
      <td>
        <Status value={one.result} />
        {one.measurement !== undefined && ` ${one.measurement} ${one.units ?? ""}`}
      </td>
    )}
  </tr>
);

/** Where a suite of a job is. */
export const suitePath = (job: number, suite: string): string =>
  `/jobs/${job}/suites/${encodeURIComponent(suite)}`;

/** Where a case of a job is. */
export const casePath = (
  job: number,
  { suite, set, name }: { suite: string; set?: string | undefined; name: string },
): string =>
  `${suitePath(job, suite)}/${encodeURIComponent(name)}${set === undefined ? "" : `?set=${encodeURIComponent(set)}`}`;
