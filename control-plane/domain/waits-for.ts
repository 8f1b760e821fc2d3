import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import type { JobRecord } from "./job-record.ts";
import { passFacts, withWorker } from "./pass-facts.ts";
import { obstacle, suits, type Facts } from "./suits.ts";

/** How many devices of its type are looked at: a job waits for the same reasons in a lab of ten thousand. */
const MOST_DEVICES = 50;

/** Why a job is still Submitted; undefined for one that isn't. */
export async function whyItWaits(deps: Deps, job: JobRecord): Promise<string | undefined> {
  if (job.state !== "Submitted") return undefined;
  const partition = `type-devices#${job.device_type}`;
  const page = await deps.table.query<DeviceRecord>("i2", partition, { limit: MOST_DEVICES });
  const fitting = page.items.map(({ data }) => data).filter((device) => suits(job, device));
  const more = page.cursor === undefined ? "" : ` among the first ${MOST_DEVICES}`;
  if (fitting.length === 0) return `no device of type ${job.device_type} fits any more${more}`;
  const facts = await passFacts(deps).forJob(job);
  const workers = new Map<string, Facts>();
  for (const device of fitting) {
    if (workers.has(device.worker)) continue;
    workers.set(device.worker, (await withWorker(deps, facts, device)).facts);
  }
  const reasons = new Map<string, number>();
  for (const device of fitting) {
    const reason = obstacle(job, device, workers.get(device.worker) ?? facts)?.text ?? "free";
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  const parts = [...reasons].map(([reason, count]) => `${count} ${reason}`);
  const devices = `${fitting.length} fitting device${fitting.length === 1 ? "" : "s"}${more}`;
  return `of ${devices}: ${parts.join(", ")}`;
}
