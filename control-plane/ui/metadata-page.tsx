import type { JobView } from "#protocol/api.ts";
import type { ChangeView } from "#protocol/history.ts";
import { Annotations } from "./annotations.tsx";
import { ChangesTable } from "./changes-table.tsx";
import { formatUtc } from "./format-time.ts";
import { JobFrame } from "./job-frame.tsx";
import type { View } from "./view.ts";

interface MetadataProps {
  view: View;
  job: JobView;
  /** `metadata` of the definition. */
  metadata: Record<string, string>;
  /** What happened to the job, the newest first. */
  changes: ChangeView[];
  mayChange: boolean;
  refusal?: string | undefined;
  text?: string | undefined;
}

/** `/jobs/ID/metadata`: attributes, what people wrote, what happened. */
export function MetadataPage(props: MetadataProps) {
  const { view, job, metadata, changes } = props;
  const attributes = Object.entries(metadata);
  return (
    <JobFrame view={view} job={job} open="/metadata" what="Metadata">
      <Annotations {...props} />
      <section aria-labelledby="attributes-title">
        <h2 id="attributes-title">Metadata of the definition</h2>
        {attributes.length === 0 ? (
          <p class="muted">The definition has none.</p>
        ) : (
          <Pairs label="Metadata" pairs={attributes} />
        )}
      </section>
      <section aria-labelledby="job-title">
        <h2 id="job-title">The job</h2>
        <Pairs label="The job" pairs={factsOf(job)} />
      </section>
      <section aria-labelledby="history-title">
        <h2 id="history-title">What happened</h2>
        <ChangesTable changes={changes} now={view.now} />
      </section>
    </JobFrame>
  );
}

const Pairs = ({ label, pairs }: { label: string; pairs: [string, string][] }) => (
  <table class="pairs">
    <caption class="hidden">{label}</caption>
    <tbody>
      {pairs.map(([name, value]) => (
        <tr>
          <th scope="row">{name}</th>
          <td>
            {/^https?:\/\/\S+$/.test(value) ? (
              <a href={value} rel="noreferrer nofollow">
                {value}
              </a>
            ) : (
              value
            )}
          </td>
        </tr>
      ))}
    </tbody>
  </table>
);

function factsOf(job: JobView): [string, string][] {
  const time = (iso: string | undefined) => (iso === undefined ? undefined : formatUtc(iso));
  const groups = job.viewing_groups?.join(" and ");
  const facts: Record<string, string | number | undefined> = {
    submitter: job.submitter,
    submitted: time(job.submit_time),
    started: time(job.start_time),
    ended: time(job.end_time),
    state: job.state,
    health: job.health,
    "error type": job.error_type,
    error: job.error_msg,
    "device type": job.device_type,
    "asked for device": job.requested_device,
    "asked for worker": job.requested_worker,
    device: job.device,
    worker: job.worker,
    tags: job.tags.length > 0 ? job.tags.join(", ") : undefined,
    priority: job.priority,
    visible: groups === undefined ? (job.visibility ?? "public") : `to ${groups}`,
    "health check": job.health_check ? "yes" : undefined,
    group: job.group,
    "sub id": job.sub_id,
    role: job.role,
    "runs beside": job.host_job === undefined ? undefined : `#${job.host_job}`,
    attempt: job.attempt,
    "tried again": job.retry_on === undefined ? undefined : `on ${job.retry_on}`,
    "failed attempts of parts": job.retries,
    "lines of log": job.log_removed ? "removed by a rule of retention" : job.log_lines,
  };
  return Object.entries(facts).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  );
}
