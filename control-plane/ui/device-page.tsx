import type { DeviceView, JobView } from "#protocol/api.ts";
import type { ChangeView } from "#protocol/history.ts";
import type { PhotoView } from "#protocol/device-photos.ts";
import type { Grants } from "#protocol/people.ts";
import type { NextCheck } from "../domain/next-check.ts";
import type { DevicePowers } from "../domain/device-powers.ts";
import { ChangesTable } from "./changes-table.tsx";
import { Source } from "./definition-page.tsx";
import { formatUtc } from "./format-time.ts";
import { DevicePhotos } from "./device-photos.tsx";
import { GrantsTable } from "./grants-table.tsx";
import { JobsTable } from "./jobs-table.tsx";
import { Page } from "./page.tsx";
import { Status } from "./status.tsx";
import type { View } from "./view.ts";

interface DeviceProps {
  view: View;
  device: DeviceView;
  configuration: string;
  jobs: JobView[];
  /** The newest first. */
  changes: ChangeView[];
  check: NextCheck;
  photos: PhotoView[];
  powers: DevicePowers;
  /** For who may administer it. */
  grants: Grants | undefined;
}

/** `/devices/HOSTNAME`: what it is, what it does, what it did. */
export function DevicePage(props: DeviceProps) {
  const { view, device, configuration, jobs, changes, check, grants } = props;
  return (
    <Page view={view} title={device.hostname} section="/devices" script="device-page.js">
      <div id="live">
        <div class="job-title">
          <h1>{device.hostname}</h1>
          <Status value={device.state} />
          <Status value={device.health} />
          <ConsoleActions {...props} />
        </div>
        {device.description && <p>{device.description}</p>}
        {device.notes && <pre class="notes">{device.notes}</pre>}
        <dl class="facts">
          <div>
            <dt>Current job</dt>
            <dd>
              {device.current_job === undefined ? (
                "none"
              ) : (
                <a href={`/jobs/${device.current_job}`}>#{device.current_job}</a>
              )}
            </dd>
          </div>
          {device.physical_owner && (
            <div>
              <dt>Owner</dt>
              <dd>{device.physical_owner}</dd>
            </div>
          )}
          {device.physical_group && (
            <div>
              <dt>Group</dt>
              <dd>{device.physical_group}</dd>
            </div>
          )}
          {device.reservation && (
            <div>
              <dt>Reserved</dt>
              <dd>
                by {device.reservation.holder}
                {device.reservation.until === undefined
                  ? ", from the end of the job that it runs"
                  : ` until ${device.reservation.until.slice(0, 16).replace("T", " ")} UTC`}
              </dd>
            </div>
          )}
          <div>
            <dt>Type</dt>
            <dd>
              <a href={`/?device_type=${encodeURIComponent(device.device_type)}`}>
                {device.device_type}
              </a>
            </dd>
          </div>
          <div>
            <dt>Worker</dt>
            <dd>
              <a href={`/workers/${encodeURIComponent(device.worker)}`}>{device.worker}</a>
            </dd>
          </div>
          <div>
            <dt>Tags</dt>
            <dd>{device.tags.join(", ") || "none"}</dd>
          </div>
          <div>
            <dt>Next health check</dt>
            <dd>
              {check.isDue && "due: "}
              {check.at === undefined ? check.text : formatUtc(check.at)}
            </dd>
          </div>
          {device.last_health_report_job !== undefined && (
            <div>
              <dt>Last health check</dt>
              <dd>
                <a href={`/jobs/${device.last_health_report_job}`}>
                  #{device.last_health_report_job}
                </a>
              </dd>
            </div>
          )}
        </dl>
        <h2>Recent jobs</h2>
        {jobs.length === 0 ? (
          <p class="nothing">No job has run on it yet.</p>
        ) : (
          <JobsTable jobs={jobs} now={view.now} />
        )}
        {jobs.length > 0 && (
          <nav class="pages" aria-label="More jobs">
            <a href={`/?device=${encodeURIComponent(device.hostname)}`}>All its jobs</a>
          </nav>
        )}
        <h2>History</h2>
        <ChangesTable changes={changes} now={view.now} />
      </div>
      <DevicePhotos
        hostname={device.hostname}
        photos={props.photos}
        isEditable={props.powers.changes && view.user !== undefined && !view.archive}
      />
      {grants && (
        <section>
          <h2>Permissions</h2>
          <GrantsTable grants={grants} others="its device type and the lab" />
        </section>
      )}
      <section>
        <h2>Configuration</h2>
        <Source text={configuration} label="Configuration" />
      </section>
    </Page>
  );
}

/** To its console, and in one step to one's own: the reservation that it needs is made for an hour. */
function ConsoleActions({ view, device, powers }: DeviceProps) {
  const where = `/devices/${encodeURIComponent(device.hostname)}/console`;
  const mayUse = powers.submits || powers.changes;
  const isFree = device.reservation === undefined && device.health !== "Retired";
  return (
    <div class="actions">
      {view.user && !view.archive && mayUse && isFree && (
        <form method="post" action={where}>
          <button>Reserve for 1 h and open its console</button>
        </form>
      )}
      <a href={where}>Console</a>
    </div>
  );
}
