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
      {device?.config && <Configuration view={view} device={device} config={device.config} />}
    </JobFrame>
  );
}

type Config = NonNullable<JobDevice["config"]>;

function Configuration({
  view,
  device: { newer },
  config,
}: {
  view: View;
  device: JobDevice;
  config: Config;
}) {
  const [latest] = newer;
  return (
    <>
      <p class="muted part-note">
        {`Made again of version ${config.version} of its dictionary, the one of the job’s start, with the job’s context and the templates of today.`}
      </p>
      {latest && (
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
      )}
      {config.warnings.map((warning) => (
        <p class="notice warn" role="note">
          {`${warning.template} line ${warning.line}: ${warning.message}`}
        </p>
      ))}
      <Source text={config.text} label={`Configuration of ${config.hostname}`} />
    </>
  );
}
