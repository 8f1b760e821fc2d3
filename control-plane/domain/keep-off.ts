import type { DeviceRecord } from "./device-record.ts";
import type { JobRecord } from "./job-record.ts";
import { holderOf } from "./reservation-record.ts";
import type { Facts, Obstacle } from "./suits.ts";
import type { ComingWindow } from "./windows.ts";

/**
 * What keeps a job off a device that could take it otherwise, because people want it so: somebody else's reservation, or a
 * maintenance window. The lab's own health checks are kept off as well.
 */
export function keptOff(
  job: Pick<JobRecord, "submitter" | "job_seconds">,
  device: DeviceRecord,
  { now, windows = [] }: Facts,
): Obstacle | undefined {
  const reservation = holderOf(device, now);
  if (reservation && reservation.holder !== job.submitter) {
    const { holder, until } = reservation;
    const text = `reserved by ${holder}${until === undefined ? "" : ` until ${until}`}`;
    const over = until === undefined ? {} : { until: Date.parse(until) };
    return { code: "reserved", bars: "pair", text, ...over };
  }
  for (const window of windows) {
    const found = isOf(window, device) ? closedBy(window, job, now) : undefined;
    if (found) return found;
  }
  return undefined;
}

const isOf = (
  { window: { lab, device_type, worker, device: hostname } }: ComingWindow,
  device: DeviceRecord,
): boolean =>
  lab === true ||
  device_type === device.device_type ||
  worker === device.worker ||
  hostname === device.hostname;

function closedBy(
  { window, start, end }: ComingWindow,
  { job_seconds: seconds }: Pick<JobRecord, "job_seconds">,
  now: number,
): Obstacle | undefined {
  const { name, drain, worker } = window;
  if (start <= now) {
    const text = `in maintenance window ${name} until ${new Date(end).toISOString()}`;
    return { code: "window", bars: worker === undefined ? "device" : "worker", text, until: end };
  }
  if (!drain || seconds === undefined || now + seconds * 1000 <= start) return undefined;
  const text = `soon in maintenance window ${name}, from ${new Date(start).toISOString()}, before which the job might not have ended`;
  return { code: "window", bars: "pair", text, until: end };
}
