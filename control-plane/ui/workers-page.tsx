import type { WorkerView } from "#protocol/api.ts";
import { upgradeText, versionText, workerNotices } from "#protocol/upgrade-text.ts";
import type { RolloutRecord } from "../domain/rollout-record.ts";
import { Page } from "./page.tsx";
import { Status } from "./status.tsx";
import { Ago } from "./time.tsx";
import type { View } from "./view.ts";

interface WorkersProps {
  view: View;
  workers: WorkerView[];
  rollout?: RolloutRecord | undefined;
  nextCursor?: string | undefined;
}

/** `/workers`: every worker, when it was last heard of, and its devices. */
export function WorkersPage({ view, workers, rollout, nextCursor }: WorkersProps) {
  return (
    <Page view={view} title="Workers" section="/workers" script="list-page.js">
      <h1>Workers</h1>
      <div id="live">
        {rollout && <p>{rolloutSentence(rollout)}</p>}
        {workers.length === 0 ? (
          <div class="nothing">
            <p>This lab has no workers yet. An administrator adds one from a shell:</p>
            <pre>pumice workers enrol NAME --add</pre>
          </div>
        ) : (
          <WorkersTable workers={workers} now={view.now} />
        )}
        <nav class="pages" aria-label="Pages of workers">
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

const WorkersTable = ({ workers, now }: { workers: WorkerView[]; now: number }) => (
  <table class="workers">
    <thead>
      <tr>
        <th scope="col">Worker</th>
        <th scope="col">State</th>
        <th scope="col">Health</th>
        <th scope="col">Last sync</th>
        <th scope="col">Version</th>
        <th scope="col" class="number">
          Job limit
        </th>
        <th scope="col">Devices</th>
      </tr>
    </thead>
    <tbody>
      {workers.map((worker) => (
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
          <td>
            {worker.last_sync ? <Ago iso={worker.last_sync} now={now} /> : "never"}
            {worker.enrolment_expires !== undefined && <small>waits for a board to enrol</small>}
          </td>
          <td>
            {versionText(worker)}
            {[upgradeText(worker), ...workerNotices(worker)].filter(Boolean).map((text) => (
              <small>{text}</small>
            ))}
          </td>
          <td class="number">{worker.job_limit === 0 ? "none" : worker.job_limit}</td>
          <td class="tags">
            {worker.devices.map((name, n) => (
              <>
                {n > 0 && ", "}
                <a href={`/devices/${encodeURIComponent(name)}`}>{name}</a>
              </>
            ))}
          </td>
        </tr>
      ))}
    </tbody>
  </table>
);
