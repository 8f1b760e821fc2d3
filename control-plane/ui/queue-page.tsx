import type { DeviceTypeView } from "#protocol/api.ts";
import type { Queue } from "#protocol/queue.ts";
import { Page } from "./page.tsx";
import { Ago } from "./time.tsx";
import type { View } from "./view.ts";

interface QueueProps {
  view: View;
  /** Those that have jobs waiting. */
  types: DeviceTypeView[];
  queue?: Queue | undefined;
}

/** `/queue`: for which device types jobs wait; with `?device_type=` which, the next one first, and why. */
export function QueuePage({ view, types, queue }: QueueProps) {
  return (
    <Page view={view} title="Queue" section="/queue" script="list-page.js">
      <h1>Queue{queue && ` of ${queue.device_type}`}</h1>
      <div id="live">
        {types.length === 0 && <p class="nothing">No job waits.</p>}
        <p>
          {types.map(({ name, queued }) => (
            <>
              <a
                href={`/queue?device_type=${encodeURIComponent(name)}`}
                aria-current={name === queue?.device_type ? "page" : undefined}
              >
                {name}
              </a>{" "}
              <span class="muted">{queued >= 100 ? "100 or more" : queued}</span>{" "}
            </>
          ))}
        </p>
        {queue && <QueueTable queue={queue} now={view.now} />}
      </div>
    </Page>
  );
}

function QueueTable({ queue, now }: { queue: Queue; now: number }) {
  const { jobs, waiting, more } = queue;
  if (waiting === 0) return <p class="nothing">No job waits for a device of this type.</p>;
  return (
    <>
      <table class="queue">
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
            <tr>
              <td class="number">{job.position}</td>
              <td class="name">
                <a href={`/jobs/${job.id}`}>
                  #{job.id} {job.description}
                </a>
              </td>
              <td>{job.submitter}</td>
              <td class="number">{job.priority}</td>
              <td>
                <Ago iso={job.submit_time} now={now} />
              </td>
              <td>{job.waits_for}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {jobs.length < waiting && (
        <p class="muted">
          {more ? "More than " : ""}
          {waiting} jobs wait; shown are {jobs.length} that you may see.
        </p>
      )}
    </>
  );
}
