import type { DeviceRecord } from "./device-record.ts";
import type { JobRecord } from "./job-record.ts";
import { holderOf } from "./reservation-record.ts";
import type { Facts, Obstacle } from "./suits.ts";

/**
 * What keeps a job off a device that could take it otherwise, because people want it so: somebody else's reservation. The lab's own
 * health checks are kept off as well.
 */
export function keptOff(
  { submitter }: Pick<JobRecord, "submitter">,
  device: DeviceRecord,
  { now }: Facts,
): Obstacle | undefined {
  const reservation = holderOf(device, now);
  if (!reservation || reservation.holder === submitter) return undefined;
  const { holder, until } = reservation;
  const text = `reserved by ${holder}${until === undefined ? "" : ` until ${until}`}`;
  return { code: "reserved", bars: "pair", text };
}
