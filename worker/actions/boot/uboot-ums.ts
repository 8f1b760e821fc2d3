import type { BootBlock } from "#protocol/job-actions.ts";
import type { Action, JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";

/** What follows U-Boot's `ums` command: the board's flash shows up as a disk of this machine and is written. */
export const flashUbootUms = (_block: BootBlock, _job: JobContext): Action[] =>
  ["wait-device-path", "flash-uboot-ums"].map((name) => ({
    name,
    run: async () => {
      throw new JobFailure("Infrastructure", `${name}: this worker can't do it yet`);
    },
  }));
