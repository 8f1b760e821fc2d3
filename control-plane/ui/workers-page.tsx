import type { WorkerView } from "#protocol/api.ts";
import { upgradeText, versionText, workerNotices } from "#protocol/upgrade-text.ts";
import type { RolloutRecord } from "../domain/rollout-record.ts";
import { Page } from "./page.tsx";
import { Status } from "./status.tsx";
import { Ago } from "./time.tsx";
import type { View } from "./view.ts";

/** A worker of the list, with what else is known of it. */
export interface ListedWorker {
  worker: WorkerView;
  /** How many jobs it runs. */
  jobs: number;
  /** The version that the roll-out gives it next. */
  next: string | undefined;
}

interface WorkersProps {
  view: View;
  workers: readonly ListedWorker[];
  rollout?: RolloutRecord | undefined;
  isFirstPage: boolean;
  nextCursor?: string | undefined;
}

/** `/workers`: every worker, when it was last heard of, what it runs, which version it has and gets, its devices. */
export function WorkersPage({ view, workers, rollout, isFirstPage, nextCursor }: WorkersProps) {
  return (
    <Page view={view} title="Workers" section="/workers" script="list-page.js">
      <h1>Workers</h1>
      <div id="live">
        {rollout && (
          <p class={rollout.active ? "notice" : "notice warn"}>{rolloutSentence(rollout)}</p>
        )}
        {workers.length === 0 && isFirstPage && nextCursor === undefined ? (
          <div class="nothing">
            <p>
              This lab has no workers yet.{" "}
              {view.user?.admin ? (
                <>
                  <a href="/welcome">The first steps</a> lead to one, until there has been a job.
                  From a shell:
                </>
              ) : (
                "An administrator adds one from a shell:"
              )}
            </p>
            <pre>pumice workers enrol NAME --add</pre>
            <p>
              <a href="/docs/install">How a worker is installed</a>
            </p>
          </div>
        ) : (
          <WorkersTable workers={workers} now={view.now} />
        )}
        <nav class="pages" aria-label="Pages of workers">
          {!isFirstPage && <a href="/workers">First</a>}
          {nextCursor !== undefined && (
            <a rel="next" href={`/workers?cursor=${encodeURIComponent(nextCursor)}`}>
              Next →
            </a>
          )}
        </nav>
      </div>
    </Page>
  );
}

function rolloutSentence({ version, stage, first, active, reason }: RolloutRecord): string {
  const reach = { one: `worker ${first}`, "10%": "10 % of the workers", all: "all workers" }[stage];
  if (active) return `Version ${version} is being rolled out to ${reach}.`;
  return `The roll-out of version ${version} to ${reach} is stopped: ${reason ?? ""}`;
}

const WorkersTable = ({ workers, now }: { workers: readonly ListedWorker[]; now: number }) => (
  <table class="workers">
    <thead>
      <tr>
        <th scope="col">Worker</th>
        <th scope="col">State</th>
        <th scope="col">Health</th>
        <th scope="col">Load</th>
        <th scope="col">Last sync</th>
        <th scope="col">Version</th>
        <th scope="col">Devices</th>
      </tr>
    </thead>
    <tbody>
      {workers.map((one) => (
        <WorkerRow {...one} now={now} />
      ))}
    </tbody>
  </table>
);

function WorkerRow({ worker, jobs, next, now }: ListedWorker & { now: number }) {
  const remarks = [upgradeText(worker), ...workerNotices(worker)].filter(Boolean);
  return (
    <tr>
      <td class="name">
        <a href={`/workers/${encodeURIComponent(worker.name)}`}>{worker.name}</a>
        {worker.description && <small>{worker.description}</small>}
      </td>
      <td>
        <Status value={worker.state} />
      </td>
      <td>
        <Status value={worker.health} />
      </td>
      <td class="load">
        <Load jobs={jobs} limit={worker.job_limit} />
      </td>
      <td class="when">
        {worker.last_sync ? <Ago iso={worker.last_sync} now={now} /> : "never"}
        {worker.enrolment_expires !== undefined && <small>waits for a board to enrol</small>}
      </td>
      <td>
        {versionText(worker)}
        {next !== undefined && <small>{`gets ${next} next`}</small>}
        {remarks.map((text) => (
          <small>{text}</small>
        ))}
      </td>
      <td class="tags">
        <WorkerDevices worker={worker} />
      </td>
    </tr>
  );
}

/** `2 of 4 jobs`, with a bar where there is a limit. */
export function Load({ jobs, limit }: { jobs: number; limit: number }) {
  if (limit === 0) return <>{`${jobs} job${jobs === 1 ? "" : "s"}`}</>;
  return (
    <>
      {`${jobs} of ${limit} jobs`}
      <svg class="load-bar" viewBox="0 0 60 4" width="60" height="4" aria-hidden="true">
        <rect class="all" width="60" height="4" />
        <rect class="used" width={60 * Math.min(1, jobs / limit)} height="4" />
      </svg>
    </>
  );
}

/** The first are named; the others are on the board. */
const SHOWN = 3;

function WorkerDevices({ worker: { name, devices } }: { worker: WorkerView }) {
  if (devices.length === 0) return <span class="muted">none</span>;
  const more = devices.length - SHOWN;
  return (
    <>
      {devices.slice(0, SHOWN).map((device, n) => (
        <>
          {n > 0 && ", "}
          <a href={`/devices/${encodeURIComponent(device)}`}>{device}</a>
        </>
      ))}
      {more > 0 && (
        <>
          {" "}
          <a href={`/devices?worker=${encodeURIComponent(name)}`}>{`and ${more} more`}</a>
        </>
      )}
    </>
  );
}
