import type { Queue, QueuedJob } from "#protocol/queue.ts";
import { expectedText } from "#protocol/waits-text.ts";
import { Page } from "./page.tsx";
import { Ago } from "./time.tsx";
import type { View } from "./view.ts";
import { submitterText } from "./who.tsx";

interface QueueProps {
  view: View;
  /** Those that have jobs waiting. */
  types: readonly { name: string; queued: number }[];
  /** The type that is asked for. */
  type?: string | undefined;
  /** Of that type, or the first jobs of the first types. */
  queues: readonly Queue[];
  nextCursor: string | undefined;
}

/** `/queue`: what waits for each device type, the next one first, and why; with `?device_type=` for one of them. */
export function QueuePage({ view, types, type, queues, nextCursor }: QueueProps) {
  const rest = types.slice(queues.length);
  return (
    <Page view={view} title="Queue" section="/queue" script="list-page.js">
      <h1>Queue{type !== undefined && ` of ${type}`}</h1>
      <div id="live">
        {(types.length > 0 || type !== undefined) && <Types types={types} open={type} />}
        {types.length === 0 && nextCursor === undefined && type === undefined && (
          <p class="nothing">No job waits.</p>
        )}
        {type === undefined
          ? queues.map((queue) => <OneOfMany queue={queue} types={types} now={view.now} />)
          : queues.map((queue) => <QueueTable queue={queue} now={view.now} />)}
        {type === undefined && rest.length > 0 && (
          <p class="muted">{`Jobs wait for ${rest.length} more types: choose one above.`}</p>
        )}
        {nextCursor !== undefined && (
          <nav class="pages" aria-label="Pages of device types">
            <a rel="next" href={`/queue?cursor=${encodeURIComponent(nextCursor)}`}>
              Types after these →
            </a>
          </nav>
        )}
      </div>
    </Page>
  );
}

function Types({ types, open }: { types: QueueProps["types"]; open: string | undefined }) {
  const isThere = open === undefined || types.some(({ name }) => name === open);
  const shown = isThere ? types : [...types, { name: open, queued: 0 }];
  return (
    <nav class="queue-types" aria-label="Device types">
      <a href="/queue" aria-current={open === undefined ? "page" : undefined}>
        All
      </a>
      {shown.map(({ name, queued }) => (
        <a
          href={`/queue?device_type=${encodeURIComponent(name)}`}
          aria-current={name === open ? "page" : undefined}
        >
          {name} <span class="muted">{queued >= 100 ? "100 or more" : queued}</span>
        </a>
      ))}
    </nav>
  );
}

function OneOfMany({
  queue,
  types,
  now,
}: {
  queue: Queue;
  types: QueueProps["types"];
  now: number;
}) {
  const { device_type: name, jobs } = queue;
  const { queued = 0 } = types.find((one) => one.name === name) ?? {};
  return (
    <section>
      <div class="toolbar">
        <h2>{name}</h2>
        {queued > jobs.length && (
          <a href={`/queue?device_type=${encodeURIComponent(name)}`}>
            {`All ${queued >= 100 ? "of 100 or more" : queued}`}
            <span class="hidden">{` that wait for ${name}`}</span>
          </a>
        )}
      </div>
      <QueueTable queue={queue} now={now} isShort />
    </section>
  );
}

function QueueTable({ queue, now, isShort }: { queue: Queue; now: number; isShort?: boolean }) {
  const { jobs, waiting, more, device_type } = queue;
  if (waiting === 0) {
    return (
      <p class="nothing">
        {isShort
          ? "Those who submitted them have used up their quota: they are in no order."
          : "No job waits for a device of this type."}
      </p>
    );
  }
  return (
    <>
      <table class="queue" aria-label={`Jobs that wait for ${device_type}`}>
        <thead>
          <tr>
            <th scope="col" class="number">
              Place
            </th>
            <th scope="col">Job</th>
            <th scope="col">Submitter</th>
            <th scope="col" class="number">
              Priority
            </th>
            <th scope="col">Submitted</th>
            <th scope="col">Waits for</th>
          </tr>
        </thead>
        <tbody>
          {jobs.map((job) => (
            <QueueRow job={job} now={now} />
          ))}
        </tbody>
      </table>
      {!isShort && jobs.length < waiting && (
        <p class="muted">
          {more ? "More than " : ""}
          {waiting} jobs wait; shown are {jobs.length} that you may see.
        </p>
      )}
    </>
  );
}

function QueueRow({ job, now }: { job: QueuedJob; now: number }) {
  const expected = expectedText(job, now);
  return (
    <tr>
      <td class="number place">{job.position}</td>
      <td class="name">
        <a href={`/jobs/${job.id}`}>
          #{job.id} {job.description}
        </a>
        {job.tags.length > 0 && <small>{`tags ${job.tags.join(", ")}`}</small>}
      </td>
      <td class="submitter">{submitterText(job.submitter)}</td>
      <td class="number">
        {job.priority}
        <span class="phone-only"> priority</span>
      </td>
      <td class="when">
        <Ago iso={job.submit_time} now={now} />
      </td>
      <td class="why">
        {job.waits_for}
        {expected !== "" && <small>{expected}</small>}
      </td>
    </tr>
  );
}
