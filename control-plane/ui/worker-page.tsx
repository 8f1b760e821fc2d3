import type { JobView, WorkerView } from "#protocol/api.ts";
import type { ChangeView } from "#protocol/history.ts";
import type { WorkerTextName } from "#protocol/lab.ts";
import type { Grants } from "#protocol/people.ts";
import { upgradeText, versionText, workerNotices } from "#protocol/upgrade-text.ts";
import { ChangesTable } from "./changes-table.tsx";
import { GrantsTable } from "./grants-table.tsx";
import { JobsTable } from "./jobs-table.tsx";
import { Page } from "./page.tsx";
import { Status } from "./status.tsx";
import { Ago } from "./time.tsx";
import type { View } from "./view.ts";

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
  /** That run now. */
  jobs: JobView[];
  changes: ChangeView[];
  /** For who may change it. */
  texts: WorkerText[] | undefined;
  /** For who may administer it. */
  grants: Grants | undefined;
}

/** `/workers/NAME`: how it is, what it runs, what goes with its jobs, what happened to it. */
export function WorkerPage(props: WorkerProps) {
  const { view, worker, powers, jobs, changes, texts, grants } = props;
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
        <Facts worker={worker} now={view.now} />
        <h2>Jobs that have its devices</h2>
        {jobs.length === 0 ? (
          <p class="nothing">None.</p>
        ) : (
          <JobsTable jobs={jobs} now={view.now} />
        )}
        {texts && <Texts worker={worker.name} texts={texts} />}
        <h2>History</h2>
        <ChangesTable changes={changes} now={view.now} />
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

function Facts({ worker, now }: { worker: WorkerView; now: number }) {
  const facts: [string, unknown][] = [
    ["Last sync", worker.last_sync ? <Ago iso={worker.last_sync} now={now} /> : "never"],
    ["Version", versionText(worker) || "unknown"],
    ["Platform", worker.platform],
    ["Protocol", worker.protocol],
    ["Job limit", worker.job_limit === 0 ? "none" : worker.job_limit],
    ["Pinned to", worker.pin?.version],
    ["Enrolled", worker.enrolled && <Ago iso={worker.enrolled} now={now} />],
    ["Enrolment code good until", worker.enrolment_expires?.slice(0, 16).replace("T", " ")],
    ["Token", tokenFact(worker, now)],
    ["Devices", <Devices names={worker.devices} />],
  ];
  return (
    <dl class="facts">
      {facts.map(([name, value]) =>
        value === undefined ? null : (
          <div>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ),
      )}
    </dl>
  );
}

const tokenFact = ({ token_rotation_asked: asked }: WorkerView, now: number) =>
  asked === undefined ? undefined : (
    <>
      asked to make another one <Ago iso={asked} now={now} />
    </>
  );

const Devices = ({ names }: { names: readonly string[] }) =>
  names.length === 0 ? (
    <>none</>
  ) : (
    <>
      {names.map((name, n) => (
        <>
          {n > 0 && ", "}
          <a href={`/devices/${encodeURIComponent(name)}`}>{name}</a>
        </>
      ))}
    </>
  );

const ABOUT: Record<WorkerTextName, string> = {
  dispatcher: "how its jobs run (LAVA’s dispatcher.yaml)",
  env: "environment of what runs on the worker",
  env_dut: "environment of test shells on devices",
};

const Texts = ({ worker, texts }: { worker: string; texts: readonly WorkerText[] }) => (
  <>
    <h2>Texts that go with its jobs</h2>
    <table>
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
  </>
);
