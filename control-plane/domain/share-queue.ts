import { TableConflict, type NewItem } from "../ports/table.ts";
import type { Deps } from "./deps.ts";
import { findJobItem, jobItem, type JobRecord } from "./job-record.ts";
import { shareQueueKey } from "./keys.ts";
import { queryAll } from "./query-all.ts";

const AGAIN_MS = 10 * 60 * 1000;

/**
 * Sees to it that all jobs which wait for a device type are in its queue by submitter: those that an older version wrote, which
 * knows of no such queue, are written again. A note says when they were looked for: such a version may serve the table beside us,
 * or again.
 */
export async function fillShareQueue(deps: Deps, deviceType: string): Promise<void> {
  const note = await deps.table.get<{ at: number }>(shareQueueKey(deviceType));
  const at = deps.system.now();
  if (note && note.data.at + AGAIN_MS > at) return;
  const known = new Set<number>();
  for await (const id of idsIn(deps, "i3", `share-queue#${deviceType}`)) known.add(id);
  for await (const id of idsIn(deps, "i2", `queue#${deviceType}`)) {
    if (!known.has(id)) await writeAgain(deps, id);
  }
  await unlessInTheWay(deps.table.transact([{ put: shareQueueItem(deviceType, at) }]));
}

const shareQueueItem = (deviceType: string, at: number): NewItem => ({
  key: shareQueueKey(deviceType),
  data: { at },
});

async function* idsIn(deps: Deps, index: "i2" | "i3", partition: string): AsyncGenerator<number> {
  for await (const { data } of queryAll<JobRecord>(deps, index, partition)) yield data.id;
}

async function writeAgain(deps: Deps, id: number): Promise<void> {
  const item = await findJobItem(deps, id);
  if (item?.data.state !== "Submitted") return;
  const { data, version } = item;
  await unlessInTheWay(deps.table.transact([{ put: jobItem(data), when: { version } }]));
}

/** Whoever writes the job at the same time puts it into its queues, too. */
async function unlessInTheWay(written: Promise<void>): Promise<void> {
  try {
    await written;
  } catch (error) {
    if (!(error instanceof TableConflict)) throw error;
  }
}
