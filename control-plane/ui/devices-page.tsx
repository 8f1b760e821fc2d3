import type { DeviceView } from "#protocol/api.ts";
import { Page } from "./page.tsx";
import { Status } from "./status.tsx";
import type { View } from "./view.ts";

interface DevicesProps {
  view: View;
  devices: DeviceView[];
  nextCursor?: string | undefined;
}

/** `/devices`: every device with its state and health. */
export function DevicesPage({ view, devices, nextCursor }: DevicesProps) {
  return (
    <Page view={view} title="Devices" section="/devices" script="list-page.js">
      <h1>Devices</h1>
      <div id="live">
        {devices.length === 0 ? (
          <div class="nothing">
            <p>This lab has no devices yet. An administrator adds one from a shell:</p>
            <pre>pumice devices add HOSTNAME --type TYPE --worker WORKER --config DEVICE.yaml</pre>
          </div>
        ) : (
          <DevicesTable devices={devices} />
        )}
        <nav class="pages" aria-label="Pages of devices">
          {nextCursor !== undefined && (
            <a rel="next" href={`/devices?cursor=${encodeURIComponent(nextCursor)}`}>
              Next →
            </a>
          )}
        </nav>
      </div>
    </Page>
  );
}

const DevicesTable = ({ devices }: { devices: DeviceView[] }) => (
  <table class="devices">
    <thead>
      <tr>
        <th scope="col">Device</th>
        <th scope="col">State</th>
        <th scope="col">Health</th>
        <th scope="col">Job</th>
        <th scope="col">Type</th>
        <th scope="col">Worker</th>
        <th scope="col">Tags</th>
      </tr>
    </thead>
    <tbody>
      {devices.map((device) => (
        <tr>
          <td class="name">
            <a href={`/devices/${encodeURIComponent(device.hostname)}`}>{device.hostname}</a>
            {device.description && <small>{device.description}</small>}
          </td>
          <td>
            <Status value={device.state} />
          </td>
          <td>
            <Status value={device.health} />
          </td>
          <td>
            {device.current_job !== undefined && (
              <a href={`/jobs/${device.current_job}`}>#{device.current_job}</a>
            )}
          </td>
          <td>{device.device_type}</td>
          <td>{device.worker}</td>
          <td class="tags">{device.tags.join(", ")}</td>
        </tr>
      ))}
    </tbody>
  </table>
);
