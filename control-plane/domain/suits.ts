import type { DeviceRecord } from "./device-record.ts";
import type { JobRecord } from "./job-record.ts";

/** Whether a job may run on a device, as far as these two know (SCHEDULER.md 2.2). */
export function suits(job: JobRecord, device: DeviceRecord): boolean {
  return (
    job.device_type === device.device_type &&
    (job.requested_device ?? device.hostname) === device.hostname &&
    (job.requested_worker ?? device.worker) === device.worker &&
    job.tags.every((tag) => device.tags.includes(tag))
  );
}

/** Whether the device's worker may still have a runner of the job's attempt before. */
export const isLeaving = ({ left }: JobRecord, { worker }: DeviceRecord): boolean =>
  left?.worker === worker;
