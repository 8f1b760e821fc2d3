import type { JobView, ResultView } from "#protocol/api.ts";
import type { ChangeView } from "#protocol/history.ts";
import { placeText } from "#protocol/waits-text.ts";
import { AnnotationNotices } from "./annotations.tsx";
import { FailingLines, type FailingLine } from "./failing-lines.tsx";
import { failureOf } from "./failure-sentence.ts";
import { formatUtc } from "./format-time.ts";
import { JobTabs } from "./job-frame.tsx";
import { lineAddress } from "./line-address.ts";
import { ResultCounts } from "./result-counts.tsx";
import { JobStatus } from "./status.tsx";
import { Ago, ranFor, waitedFor } from "./time.tsx";
import type { Timeline } from "./timeline.ts";
import type { View } from "./view.ts";
import { submitterText, Who } from "./who.tsx";

export interface HeaderProps {
  view: View;
  job: JobView;
  timeline: Timeline;
  results: ResultView[];
  /** Of a job that failed. */
  failingLines: FailingLine[];
  /** Whether the person may change the job: cancel it, annotate it. */
  mayChange: boolean;
  /** Of a job that was canceled, as long as it is remembered: who did it. */
  canceled?: ChangeView | undefined;
}

/** Name, state and facts of a job, what it waits for, and why it failed. */
export function JobHeader(props: HeaderProps) {
  const { view, job, results } = props;
  return (
    <>
      <div class="job-title">
        <h1>
          <span class="muted">#{job.id}</span> {job.description}
        </h1>
        <JobStatus job={job} />
        <Actions {...props} />
      </div>
      <Facts job={job} now={view.now} results={results} />
      <Waiting job={job} now={view.now} />
      <AttemptNotices job={job} />
      <FailureNotice {...props} />
      <CancelNotice {...props} />
      {job.notes?.map((note) => (
        <p class="notice">
          <b>Note:</b> {note}
        </p>
      ))}
      <AnnotationNotices job={job} now={view.now} />
      <div class="job-nav">
        <JobTabs job={job} open="" />
        <p class="jumps">
          <a href="#results-title">Results</a> <a href="#log-title">Log</a>{" "}
          <a href="#timeline-title">Timeline</a>
        </p>
      </div>
    </>
  );
}

function Actions({ view, job, mayChange }: HeaderProps) {
  const isToCancel = !job.retried && job.state !== "Finished" && job.state !== "Canceling";
  return (
    <span class="actions">
      {view.user && !view.archive && <a href={`/submit?from=${job.id}`}>Submit again</a>}
      {mayChange && <a href={`/jobs/${job.id}/metadata#annotations`}>Annotate</a>}
      {mayChange && isToCancel && (
        <a id="cancel" class="button danger" href={`/jobs/${job.id}/cancel`}>
          Cancel job
        </a>
      )}
    </span>
  );
}

function Waiting({ job, now }: { job: JobView; now: number }) {
  const place = job.waits ? placeText(job.waits, now) : "";
  return (
    <>
      {job.waits_for && (
        <p class="notice">
          <b>Waits:</b> {job.waits_for}
          {place !== "" && (
            <>
              <br />
              <a href={`/queue?device_type=${encodeURIComponent(job.device_type)}`}>
                {sentence(place)}
              </a>
            </>
          )}
        </p>
      )}
      {job.waits_for_person && job.device !== undefined && (
        <p class="notice">
          <b>Waits for a person:</b> a step of its interactive test.{" "}
          <a class="button" href={`/devices/${encodeURIComponent(job.device)}/console`}>
            Open its console
          </a>
        </p>
      )}
    </>
  );
}

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function Facts({ job, now, results }: { job: JobView; now: number; results: ResultView[] }) {
  const cases = results.filter(({ suite, retried }) => suite !== "lava" && !retried);
  const device = job.device ?? job.requested_device;
  const worker = job.worker ?? job.requested_worker;
  const ran = ranFor(job, now);
  return (
    <dl class="facts">
      <Fact name="Device">
        {device === undefined ? (
          `any ${job.device_type}`
        ) : (
          <a href={`/devices/${encodeURIComponent(device)}`}>{device}</a>
        )}
      </Fact>
      <Fact name="Type">
        <a href={`/?device_type=${encodeURIComponent(job.device_type)}`}>{job.device_type}</a>
      </Fact>
      {worker !== undefined && (
        <Fact name="Worker">
          <a href={`/workers/${encodeURIComponent(worker)}`}>{worker}</a>
        </Fact>
      )}
      {job.role !== undefined && <Fact name="Role">{`${job.role} (${job.sub_id})`}</Fact>}
      <Fact name="Submitter">
        <a href={`/?submitter=${encodeURIComponent(job.submitter)}`}>
          {submitterText(job.submitter)}
        </a>
      </Fact>
      <Fact name="Priority">{job.priority}</Fact>
      {job.tags.length > 0 && <Fact name="Tags">{job.tags.join(", ")}</Fact>}
      <Fact name="Submitted">
        <Ago iso={job.submit_time} now={now} />
      </Fact>
      <Fact name={job.start_time || job.end_time ? "Queued" : "Queued so far"}>
        {waitedFor(job, now)}
      </Fact>
      {ran !== undefined && <Fact name={job.end_time ? "Ran" : "Running for"}>{ran}</Fact>}
      {job.end_time && (
        <Fact name="Ended">
          <Ago iso={job.end_time} now={now} />
        </Fact>
      )}
      {cases.length > 0 && (
        <Fact name="Tests">
          <a href="#results-title">
            <ResultCounts results={cases} />
          </a>
        </Fact>
      )}
    </dl>
  );
}

const Fact = ({ name, children }: { name: string; children?: unknown }) => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
);

function FailureNotice({ job, timeline, failingLines }: HeaderProps) {
  const failure = failureOf(job, timeline);
  if (!failure) return null;
  const { what, fault, line, pattern } = failure;
  return (
    <div class="notice bad" id="failure">
      <p>
        <b>{what.replace(/[.\s]+$/, "")}</b>: {fault}.{" "}
        {pattern !== undefined && (
          <>
            Pattern: <code>{pattern}</code>.{" "}
          </>
        )}
        {line !== undefined && <a href={lineAddress(line, job)}>See it in the log</a>}
      </p>
      {failingLines.length > 0 && <FailingLines job={job} lines={failingLines} />}
    </div>
  );
}

function CancelNotice({ view, job, canceled }: HeaderProps) {
  const isCanceled = job.state === "Canceling" || job.health === "Canceled";
  const told = job.error_msg || canceled?.reason;
  // A runner has no other word for it.
  const why = told?.toLowerCase() === "canceled" ? undefined : told;
  const when = canceled?.time ?? job.end_time;
  if (!isCanceled) return null;
  return (
    <p class="notice" id="canceled">
      <b>{job.state === "Canceling" ? "Is being canceled" : "Canceled"}</b>
      {canceled && (
        <>
          {" by "}
          <Who who={canceled.who} reason={canceled.reason} />
        </>
      )}
      {when !== undefined && (
        <>
          {" "}
          <Ago iso={when} now={view.now} />, {formatUtc(when)}
        </>
      )}
      {why ? `: ${why}` : "."}
    </p>
  );
}

/** What was tried again: parts of the job, or all of it. */
function AttemptNotices({ job }: { job: JobView }) {
  const { id, passed_on_retry: passed = [], earlier_attempts: earlier = [] } = job;
  return (
    <>
      {passed.length > 0 && (
        <p class="notice" id="passed-on-retry">
          <b>Passed on retry:</b>{" "}
          {passed
            .map(({ action, attempt, of }) => `${action} on attempt ${attempt} of ${of}`)
            .join(", ")}
        </p>
      )}
      {earlier.map(({ attempt, device, error_type, error_msg }) => (
        <p class="notice" id={`attempt-${attempt}`}>
          <b>{`Attempt ${attempt + 1}.`}</b>
          {` Attempt ${attempt}${device === undefined ? "" : ` on ${device}`} failed: `}
          {[error_type, error_msg].filter(Boolean).join(": ")}.{" "}
          <a href={`/jobs/${id}?attempt=${attempt}`}>Its log and results</a>
        </p>
      ))}
      {job.retried && (
        <p class="notice" id="retried">
          <b>{`This is attempt ${job.attempt} of the job.`}</b> It went back to the queue.{" "}
          <a href={`/jobs/${id}`}>The job now</a>
        </p>
      )}
    </>
  );
}
