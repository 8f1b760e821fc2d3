import type { Item, Operation } from "../../ports/table.ts";
import { changeItem, type By } from "../changes.ts";
import type { Deps } from "../deps.ts";
import { attemptOf, findJobItem, jobItem, type JobRecord } from "../job-record.ts";
import { unpackBlockOf } from "../job-list/job-blocks.ts";
import { jobKey } from "../keys.ts";
import { retrying } from "../retrying.ts";
import {
  chunkBlob,
  definitionBlob,
  deviceBlob,
  multinodeBlob,
  stockPlanBlob,
} from "../blob-names.ts";
import type { ChunkRecord } from "../log-chunks.ts";

/** Parts of a job that one call removes, at most. */
const MOST_PARTS = 1000;
/** Of a transaction. */
const AT_ONCE = 50;

/**
 * Removes a finished job with all that belongs to it. The job itself goes last, so that what a crash leaves is found again. False
 * when it has more parts than one call removes.
 */
export async function removeJob(deps: Deps, job: JobRecord, by: By): Promise<boolean> {
  const isAll = await removeParts(deps, job, () => true);
  if (!isAll) return false;
  for (const nameOf of [definitionBlob, multinodeBlob, stockPlanBlob]) {
    await deps.blobs.remove(nameOf(job.id));
  }
  for (let attempt = attemptOf(job); attempt > 0; attempt--) {
    await deps.blobs.remove(deviceBlob(job.id, attempt));
  }
  const gone = (now: JobRecord) => ({ job: now, expires: deps.system.now() });
  await retrying(async () => {
    await finish(deps, job, by, ["job", gone], [await unpackBlockOf(deps, job.id)]);
  });
  return true;
}

/** Removes the log of a finished job, of all its attempts; its results stay. False as for `removeJob`. */
export async function removeLog(deps: Deps, job: JobRecord, by: By): Promise<boolean> {
  const isAll = await removeParts(deps, job, isChunk);
  if (!isAll) return false;
  await finish(deps, job, by, ["log", (now) => ({ job: { ...now, log_removed: true } })]);
  return true;
}

const isChunk = (sort: string): boolean => /^chunk(\.\d+)?#/.test(sort);

async function removeParts(
  deps: Deps,
  { id }: JobRecord,
  isWanted: (sort: string) => boolean,
): Promise<boolean> {
  const { partition, sort: own } = jobKey(id);
  let cursor: string | undefined;
  let removed = 0;
  do {
    const page = await deps.table.query<object>("main", partition, {
      limit: 100,
      ...(cursor === undefined ? {} : { cursor }),
    });
    const parts = page.items.filter(({ key }) => key.sort !== own && isWanted(key.sort));
    for (let at = 0; at < parts.length; at += AT_ONCE) {
      const some = parts.slice(at, at + AT_ONCE);
      // First the blobs: whoever comes after a crash still finds the items which name them.
      await Promise.all(
        some.flatMap((part) => blobsOf(id, part)).map((blob) => deps.blobs.remove(blob)),
      );
      await deps.table.transact(some.map(({ key }): Operation => ({ delete: key })));
      removed += some.length;
    }
    if (removed >= MOST_PARTS && page.cursor !== undefined) return false;
    cursor = page.cursor;
  } while (cursor !== undefined);
  return true;
}

function blobsOf(id: number, { key, data }: Item<object>): string[] {
  if (isChunk(key.sort)) {
    const { first_line, sha256 } = data as ChunkRecord;
    return [chunkBlob(id, first_line, sha256)];
  }
  const { blob } = data as { blob?: unknown };
  return key.sort.startsWith("summary#") && typeof blob === "string" ? [blob] : [];
}

type Last = readonly [what: string, (job: JobRecord) => { job: JobRecord; expires?: number }];

/** From then on the item is absent for everybody; whatever else is left of the job goes with it when the engine removes it. */
async function finish(
  deps: Deps,
  { id }: JobRecord,
  by: By,
  [what, last]: Last,
  beside: readonly Operation[] = [],
): Promise<void> {
  const item = await findJobItem(deps, id);
  if (!item) return;
  const { job, expires } = last(item.data);
  const changed = { [what]: ["there", null] } satisfies Record<string, [string, null]>;
  const told = { kind: "job", name: String(id), changed, routine: true, ...by } as const;
  await deps.table.transact([
    {
      // Out of all lists at once: DynamoDB takes days to remove what is over.
      put: expires === undefined ? jobItem(job) : { key: jobKey(id), data: job, expires },
      when: { version: item.version },
    },
    { put: changeItem(deps, told), when: "absent" },
    ...beside,
  ]);
}
