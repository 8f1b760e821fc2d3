import type { DeviceView, JobView } from "#protocol/api.ts";
import { Source } from "./definition-page.tsx";
import { JobsTable } from "./jobs-table.tsx";
import { Page } from "./page.tsx";
import { Status } from "./status.tsx";
import type { View } from "./view.ts";

interface DeviceProps {
  view: View;
  device: DeviceView;
  configuration: string;
  jobs: JobView[];
}

/** `/devices/HOSTNAME`: what it is, what it does, what it did. */
export function DevicePage({ view, device, configuration, jobs }: DeviceProps) {
  return (
    <Page view={view} title={device.hostname} section="/devices" script="list-page.js">
      <div id="live">
        <div class="job-title">
          <h1>{device.hostname}</h1>
          <Status value={device.state} />
          <Status value={device.health} />
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
            <dd>{device.worker}</dd>
          </div>
          <div>
            <dt>Tags</dt>
            <dd>{device.tags.join(", ") || "none"}</dd>
          </div>
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
      </div>
      <h2>Configuration</h2>
      <Source text={configuration} label="Configuration" />
    </Page>
  );
}
