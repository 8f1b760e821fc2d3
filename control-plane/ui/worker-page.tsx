import type { JobView, WorkerView } from "#protocol/api.ts";
import type { ChangeView } from "#protocol/history.ts";
import type { WorkerTextName } from "#protocol/lab.ts";
import type { Grants } from "#protocol/people.ts";
import { upgradeText, versionText, workerNotices } from "#protocol/upgrade-text.ts";
import type { BoardDevice } from "../domain/device-board.ts";
import { ChangesTable } from "./changes-table.tsx";
import { DeviceTable } from "./device-table.tsx";
import { Counts } from "./devices-page.tsx";
import { FactList } from "./fact-list.tsx";
import { GrantsTable } from "./grants-table.tsx";
import { JobsTable } from "./jobs-table.tsx";
import { Page } from "./page.tsx";
import { Status } from "./status.tsx";
import { Ago } from "./time.tsx";
import type { View } from "./view.ts";
import { Load } from "./workers-page.tsx";

export interface WorkerText {
  field: WorkerTextName;
  /** 0: nobody has written one. */
  version: number;
  lines: number;
}

interface WorkerProps {
  view: View;
  worker: WorkerView;
  powers: { changes: boolean; administers: boolean };
  /** That run now, of those that whoever looks may see. */
  jobs: JobView[];
  /** How many there are. */
  load: number;
  /** The first of them. */
  devices: readonly BoardDevice[];
  /** What the roll-out does with it; empty when there is none. */
  rollout: string;
  changes: ChangeView[];
  /** For who may change it. */
  texts: WorkerText[] | undefined;
  /** For who may administer it. */
  grants: Grants | undefined;
}

/** `/workers/NAME`: how it is, what it runs, what goes with its jobs, what happened to it. */
export function WorkerPage(props: WorkerProps) {
  const { view, worker, powers, jobs, devices, changes, texts, grants } = props;
  const notices = [upgradeText(worker), ...workerNotices(worker)].filter(Boolean);
  return (
    <Page view={view} title={worker.name} section="/workers" script="list-page.js">
      <div id="live">
        <div class="job-title">
          <h1>{worker.name}</h1>
          <Status value={worker.state} />
          <Status value={worker.health} />
          {powers.changes && !view.archive && <HealthForms worker={worker} />}
        </div>
        {worker.description && <p>{worker.description}</p>}
        {notices.map((text) => (
          <p class="notice">{text}</p>
        ))}
        <Facts {...props} />
        <section>
          <h2>Jobs that have its devices</h2>
          {jobs.length === 0 ? (
            <p class="muted">None.</p>
          ) : (
            <JobsTable jobs={jobs} now={view.now} />
          )}
        </section>
        <section>
          <div class="toolbar">
            <h2>Devices</h2>
            <a href={`/devices?worker=${encodeURIComponent(worker.name)}`}>On the board</a>
          </div>
          {devices.length === 0 ? (
            <p class="muted">None that you may see.</p>
          ) : (
            <>
              <p class="board-sum">
                <Counts devices={devices} />
              </p>
              <DeviceTable devices={devices} label="Its devices" belongs="type" />
            </>
          )}
        </section>
        {texts && <Texts worker={worker.name} texts={texts} />}
        <section>
          <h2>History</h2>
          <ChangesTable changes={changes} now={view.now} />
        </section>
      </div>
      {grants && (
        <section>
          <h2>Permissions</h2>
          <GrantsTable grants={grants} others="the lab" />
        </section>
      )}
    </Page>
  );
}

/** In Maintenance its jobs run to their end and none begins, on all its devices. */
function HealthForms({ worker: { name, health } }: { worker: WorkerView }) {
  const isActive = health === "Active";
  return (
    <form class="actions" method="post" action={`/workers/${encodeURIComponent(name)}/health`}>
      <input name="reason" placeholder="Why" aria-label="Why" maxlength={1000} autocomplete="off" />
      <input type="hidden" name="health" value={isActive ? "Maintenance" : "Active"} />
      <button>{isActive ? "Drain: let its jobs end, begin none" : "Take it back into use"}</button>
    </form>
  );
}

function Facts({ worker, load, rollout, view: { now } }: WorkerProps) {
  const facts: [string, unknown][] = [
    ["Last sync", worker.last_sync ? <Ago iso={worker.last_sync} now={now} /> : "never"],
    ["Load", <Load jobs={load} limit={worker.job_limit} />],
    ["Job limit", worker.job_limit === 0 ? "none" : worker.job_limit],
    ["Version", versionText(worker) || "unknown"],
    ["Roll-out", rollout || undefined],
    ["Pinned to", worker.pin?.version],
    ["Platform", worker.platform],
    ["Protocol", worker.protocol],
    ["Enrolled", worker.enrolled && <Ago iso={worker.enrolled} now={now} />],
    ["Enrolment code good until", worker.enrolment_expires?.slice(0, 16).replace("T", " ")],
    ["Token", tokenFact(worker, now)],
  ];
  return <FactList facts={facts} />;
}

const tokenFact = ({ token_rotation_asked: asked }: WorkerView, now: number) =>
  asked === undefined ? undefined : (
    <>
      asked to make another one <Ago iso={asked} now={now} />
    </>
  );

const ABOUT: Record<WorkerTextName, string> = {
  dispatcher: "how its jobs run (LAVA’s dispatcher.yaml)",
  env: "environment of what runs on the worker",
  env_dut: "environment of test shells on devices",
};

const Texts = ({ worker, texts }: { worker: string; texts: readonly WorkerText[] }) => (
  <section>
    <h2>Texts that go with its jobs</h2>
    <table>
      <thead class="hidden">
        <tr>
          <th scope="col">Text</th>
          <th scope="col">Version</th>
          <th scope="col">Length</th>
        </tr>
      </thead>
      <tbody>
        {texts.map(({ field, version, lines }) => (
          <tr>
            <td class="name">
              <a href={`/workers/${encodeURIComponent(worker)}/texts/${field}`}>{field}</a>
              <small>{ABOUT[field]}</small>
            </td>
            <td>{version === 0 ? "none" : `version ${version}`}</td>
            <td class="number">{lines === 0 ? "empty" : `${lines} lines`}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </section>
);
