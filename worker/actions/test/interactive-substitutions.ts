import { dispatcherIp } from "../../host/dispatcher-ip.ts";
import type { RunContext } from "../../pipeline/action.ts";
import { placeholdersSlot } from "../../pipeline/job-slots.ts";

/**
 * What commands of an interactive test may name in braces: what the bootloader's commands of this namespace could
 * (DISPATCHER.md 10.4), and who and where we are.
 */
export const knownSubstitutions = ({ job, slots }: RunContext): Map<string, string> =>
  new Map([
    ...Object.entries(slots.find(placeholdersSlot) ?? {}),
    ["SERVER_IP", dispatcherIp(job.dispatcher)],
    ["JOB_ID", String(job.jobId)],
  ]);
