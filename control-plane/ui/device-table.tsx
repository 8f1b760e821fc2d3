import type { BoardDevice } from "../domain/device-board.ts";
import { DeviceStrip } from "./device-strip.tsx";
import { Status } from "./status.tsx";

interface Props {
  devices: readonly BoardDevice[];
  /** What the table is, for who does not see what stands around it. */
  label: string;
  /** Which of its columns says where the device belongs; the other is known. */
  belongs: "type" | "worker";
}

/** Devices, one a row: how each is, what it does, how its last jobs ended. */
export const DeviceTable = ({ devices, label, belongs }: Props) => (
  <table class="devices board-table" aria-label={label}>
    <thead>
      <tr>
        <th scope="col">Device</th>
        <th scope="col">State</th>
        <th scope="col">Health</th>
        <th scope="col">Job</th>
        <th scope="col">Last jobs</th>
        <th scope="col">{belongs === "type" ? "Type" : "Worker"}</th>
        <th scope="col">Tags</th>
      </tr>
    </thead>
    <tbody>
      {devices.map((device) => (
        <DeviceRow device={device} belongs={belongs} />
      ))}
    </tbody>
  </table>
);

/** The others get none before somebody sets another health. */
const GETS_CHECKS: ReadonlySet<string> = new Set(["Good", "Unknown", "Looping"]);

function DeviceRow({ device, belongs }: { device: BoardDevice } & Pick<Props, "belongs">) {
  const { hostname, current_job, reservation } = device;
  return (
    <tr>
      <td class="name">
        <a href={`/devices/${encodeURIComponent(hostname)}`}>{hostname}</a>
        {device.description && <small title={device.description}>{device.description}</small>}
      </td>
      <td>
        <Status value={device.state} />
        {reservation && <small>{`${reservation.holder} has it`}</small>}
      </td>
      <td>
        <Status value={device.health} />
        {device.health_check_due && GETS_CHECKS.has(device.health) && <small>check due</small>}
      </td>
      <td class="job">
        {current_job !== undefined && <a href={`/jobs/${current_job}`}>#{current_job}</a>}
      </td>
      <td class="history">
        <DeviceStrip hostname={hostname} jobs={device.recent} />
      </td>
      <td class="belongs">
        {belongs === "type" ? (
          <a href={`/device-types/${encodeURIComponent(device.device_type)}`}>
            {device.device_type}
          </a>
        ) : (
          <a href={`/workers/${encodeURIComponent(device.worker)}`}>{device.worker}</a>
        )}
      </td>
      <td class="tags">{device.tags.join(", ")}</td>
    </tr>
  );
}
