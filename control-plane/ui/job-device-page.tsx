import type { JobView } from "#protocol/api.ts";
import type { JobDevice } from "../domain/job-device.ts";
import { Source } from "./definition-page.tsx";
import { JobFrame } from "./job-frame.tsx";
import { Ago } from "./time.tsx";
import type { View } from "./view.ts";

interface JobDeviceProps {
  view: View;
  job: JobView;
  device: JobDevice | undefined;
}

/** `/jobs/ID/device`: the configuration of the device for this job. */
export function JobDevicePage({ view, job, device }: JobDeviceProps) {
  return (
    <JobFrame view={view} job={job} open="/device" what="Device">
      <div class="part-bar">
        <h2>
          {device ? (
            <>
              Device{" "}
              <a href={`/devices/${encodeURIComponent(device.hostname)}`}>{device.hostname}</a>
            </>
          ) : (
            "Device"
          )}
        </h2>
      </div>
      {!device && (
        <p class="nothing">
          {job.state === "Finished"
            ? "It never got a device."
            : `It has no device yet: it waits for one of type ${job.device_type}.`}
        </p>
      )}
      {device?.problem !== undefined && (
        <p class="notice bad" role="note">
          <b>Its configuration can’t be shown.</b> {device.problem}
        </p>
      )}
      {device && <Configuration view={view} device={device} />}
    </JobFrame>
  );
}

function Configuration({ view, device }: { view: View; device: JobDevice }) {
  const { hostname, kept, config } = device;
  const text = kept ?? config?.text;
  if (text === undefined) return null;
  return (
    <>
      <p class="muted part-note">
        {kept === undefined
          ? `Made again of version ${config?.version} of its dictionary, the one of the job’s start, with the job’s context and the templates of today.`
          : "As the job’s worker got it: the dictionary and the templates of then, with the job’s context."}
      </p>
      <Newer view={view} newer={device.newer} />
      {config?.warnings.map((warning) => (
        <p class="notice warn" role="note">
          {`${warning.template} line ${warning.line}: ${warning.message}`}
        </p>
      ))}
      <Source text={text} label={`Configuration of ${hostname}`} />
    </>
  );
}

/** What has become of the dictionary since. */
function Newer({ view, newer }: { view: View; newer: JobDevice["newer"] }) {
  const [latest] = newer;
  if (!latest) return null;
  return (
    <p class="notice warn" role="note">
      <b>
        {newer.length === 1
          ? "The dictionary has changed since."
          : `The dictionary has changed ${newer.length} times since.`}
      </b>{" "}
      It is at version {latest.version} now, by {latest.user}{" "}
      <Ago iso={latest.time} now={view.now} />
      {latest.comment === "" ? "" : `: ${latest.comment}`}.
    </p>
  );
}
