import type { Action, JobContext } from "../../pipeline/action.ts";
import { waitDeviceBoardId } from "../connection/wait-usb.ts";
import { resetDevice } from "../power/reset-device.ts";

/**
 * What comes before a flasher where the lab can switch the board's power: the reset, then the wait for the probe,
 * which is new on the USB after it. A board without `hard_reset` stays as it is: its probe is there.
 */
export const powerCycled = (job: JobContext, wait: Action = waitDeviceBoardId()): Action[] =>
  job.device.commands?.["hard_reset"] ? [resetDevice(job), wait] : [];
