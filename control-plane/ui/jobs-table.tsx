import type { JobView } from "#protocol/api.ts";
import { JobStatus } from "./status.tsx";
import { Ago, ranFor } from "./time.tsx";
import { submitterText } from "./who.tsx";

/** Jobs, one a row. */
export function JobsTable({ jobs, now }: { jobs: JobView[]; now: number }) {
  return (
    <table class="jobs">
      <thead>
        <tr>
          <th scope="col">Job</th>
          <th scope="col">Status</th>
          <th scope="col">Description</th>
          <th scope="col">Tests</th>
          <th scope="col">Device</th>
          <th scope="col">Submitter</th>
          <th scope="col">Submitted</th>
          <th scope="col" class="number">
            Ran
          </th>
        </tr>
      </thead>
      <tbody>
        {jobs.map((job) => (
          <JobRow job={job} now={now} />
        ))}
      </tbody>
    </table>
  );
}

/** Passed and failed in short; what else there is, on hover. */
export function Counts({ counts }: { counts: JobView["result_counts"] }) {
  if (!counts) return <></>;
  const { pass, fail, skip, unknown } = counts;
  return (
    <span
      class="counts"
      title={`${pass} passed, ${fail} failed, ${skip} skipped, ${unknown} unknown`}
    >
      {pass > 0 && <Count tone="good" count={pass} word="passed" mark="✓" />}
      {fail > 0 && <Count tone="bad" count={fail} word="failed" mark="✕" />}
      {pass + fail === 0 && <Count tone="idle" count={skip + unknown} word="skipped" mark="·" />}
    </span>
  );
}

interface CountProps {
  tone: "good" | "bad" | "idle";
  count: number;
  word: string;
  mark: string;
}

const Count = ({ tone, count, word, mark }: CountProps) => (
  <span class={tone}>
    <i aria-hidden="true">{mark}</i>
    {count}
    <span class="hidden">{` ${word} `}</span>
  </span>
);

function JobRow({ job, now }: { job: JobView; now: number }) {
  const device = job.device ?? job.requested_device;
  const href = job.retried ? `/jobs/${job.id}?attempt=${job.attempt}` : `/jobs/${job.id}`;
  return (
    <tr>
      <td class="id">
        <a href={href}>{job.id}</a>
      </td>
      <td class="state">
        <JobStatus job={job} />
      </td>
      <td class="description">
        <a href={href}>{job.description}</a>
        {(job.retried || job.attempt) && <small>{`attempt ${job.attempt}`}</small>}
        {job.state === "Finished" && job.health === "Incomplete" && job.error_msg && (
          <small>{job.error_msg}</small>
        )}
      </td>
      <td class="tests">
        <Counts counts={job.result_counts} />
      </td>
      <td class="device">
        {device === undefined ? (
          <span class="muted">{job.device_type}</span>
        ) : (
          <a href={`/devices/${encodeURIComponent(device)}`}>{device}</a>
        )}
      </td>
      <td class="submitter">{submitterText(job.submitter)}</td>
      <td class="when">
        <Ago iso={job.submit_time} now={now} />
      </td>
      <td class="number ran">{ranFor(job, now) ?? ""}</td>
    </tr>
  );
}
