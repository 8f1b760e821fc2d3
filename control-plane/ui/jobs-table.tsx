import type { JobView } from "#protocol/api.ts";
import { JobStatus } from "./status.tsx";
import { Ago, ranFor } from "./time.tsx";

/** Jobs, one a row. */
export function JobsTable({ jobs, now }: { jobs: JobView[]; now: number }) {
  return (
    <table class="jobs">
      <thead>
        <tr>
          <th scope="col">Job</th>
          <th scope="col">Status</th>
          <th scope="col">Description</th>
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
      <td class="device">
        {device === undefined ? (
          <span class="muted">{job.device_type}</span>
        ) : (
          <a href={`/devices/${encodeURIComponent(device)}`}>{device}</a>
        )}
      </td>
      <td class="submitter">{job.submitter}</td>
      <td class="when">
        <Ago iso={job.submit_time} now={now} />
      </td>
      <td class="number ran">{ranFor(job, now) ?? ""}</td>
    </tr>
  );
}
