import type { JobView } from "#protocol/api.ts";
import type { ChangeView } from "#protocol/history.ts";
import type { PhotoView } from "#protocol/device-photos.ts";
import type { Grants } from "#protocol/people.ts";
import type { BoardDevice } from "../domain/device-board.ts";
import type { DevicePowers } from "../domain/device-powers.ts";
import type { NextCheck } from "../domain/next-check.ts";
import { ChangesTable } from "./changes-table.tsx";
import { DeviceForms } from "./device-forms.tsx";
import { DeviceFrame } from "./device-frame.tsx";
import { DevicePhotos } from "./device-photos.tsx";
import { DeviceStrip } from "./device-strip.tsx";
import { FactList } from "./fact-list.tsx";
import { formatUtc } from "./format-time.ts";
import { GrantsTable } from "./grants-table.tsx";
import { JobsTable } from "./jobs-table.tsx";
import type { View } from "./view.ts";

interface DeviceProps {
  view: View;
  device: BoardDevice;
  jobs: JobView[];
  /** The newest first. */
  changes: ChangeView[];
  check: NextCheck;
  photos: PhotoView[];
  powers: DevicePowers;
  /** For who may administer it. */
  grants: Grants | undefined;
}

/** `/devices/HOSTNAME`: what it is, what it does, what it did last; what somebody may do with it. */
export function DevicePage(props: DeviceProps) {
  const { view, device, jobs, changes, powers, grants } = props;
  const here = `/devices/${encodeURIComponent(device.hostname)}`;
  return (
    <DeviceFrame view={view} device={device} tab="" script="device-page.js">
      {device.description && <p>{device.description}</p>}
      {device.notes && <pre class="notes">{device.notes}</pre>}
      <div id="live">
        <Facts {...props} />
      </div>
      <DeviceForms view={view} device={device} powers={powers} />
      <div id="live-jobs" data-live="">
        <section>
          <div class="toolbar">
            <h2>Recent jobs</h2>
            <a href={`${here}/jobs`}>All its jobs</a>
          </div>
          {jobs.length === 0 ? (
            <p class="nothing">No job has run on it yet.</p>
          ) : (
            <JobsTable jobs={jobs} now={view.now} />
          )}
        </section>
        <section>
          <div class="toolbar">
            <h2>What happened to it</h2>
            <a href={`${here}/history`}>Its whole history</a>
          </div>
          <ChangesTable changes={changes} now={view.now} />
        </section>
      </div>
      <DevicePhotos
        hostname={device.hostname}
        photos={props.photos}
        isEditable={powers.changes && view.user !== undefined && !view.archive}
      />
      {grants && (
        <section>
          <h2>Permissions</h2>
          <GrantsTable grants={grants} others="its device type and the lab" />
        </section>
      )}
    </DeviceFrame>
  );
}

function Facts({ device, check }: DeviceProps) {
  const { reservation, current_job: job, last_health_report_job: lastCheck } = device;
  const facts: [string, unknown][] = [
    ["Current job", job === undefined ? "none" : <a href={`/jobs/${job}`}>#{job}</a>],
    ["Last jobs", <DeviceStrip hostname={device.hostname} jobs={device.recent} />],
    ["Reserved", reservation && reservedText(reservation)],
    ["Worker", <a href={`/workers/${encodeURIComponent(device.worker)}`}>{device.worker}</a>],
    ["Tags", device.tags.length === 0 ? "none" : <Tags tags={device.tags} />],
    ["Owner", device.physical_owner],
    ["Group", device.physical_group],
    [
      "Next health check",
      `${check.isDue ? "due: " : ""}${check.at === undefined ? check.text : formatUtc(check.at)}`,
    ],
    [
      "Last health check",
      lastCheck === undefined ? undefined : <a href={`/jobs/${lastCheck}`}>#{lastCheck}</a>,
    ],
  ];
  return <FactList facts={facts} />;
}

const reservedText = ({ holder, until }: NonNullable<BoardDevice["reservation"]>): string =>
  until === undefined
    ? `by ${holder}, from the end of the job that it runs`
    : `by ${holder} until ${until.slice(0, 16).replace("T", " ")} UTC`;

const Tags = ({ tags }: { tags: readonly string[] }) => (
  <>
    {tags.map((tag) => (
      <>
        <a class="chip" href={`/devices?tag=${encodeURIComponent(tag)}`}>
          {tag}
        </a>{" "}
      </>
    ))}
  </>
);
