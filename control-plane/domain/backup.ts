import type { BackupBlob, BackupItem, BackupPage } from "#protocol/backup.ts";
import type { Item, Key } from "../ports/table.ts";
import { nowOf } from "./closed-lab.ts";
import type { Deps } from "./deps.ts";
import type { PhotosRecord } from "./device-photos.ts";
import { attemptOfPart, isPartOfLog, jobOfPart, kindOf, lineOfPart } from "./item-kinds.ts";
import { attemptOf, findJobItem, type JobRecord } from "./job-record.ts";
import { AppError } from "./app-error.ts";
import { attemptKey, chunkKey } from "./keys.ts";
import { chunkBlob, definitionBlob, deviceBlob, multinodeBlob, photoBlob } from "./blob-names.ts";
import type { ChunkRecord } from "./log-chunks.ts";
import { requireAdmin, type Principal } from "./principal.ts";
import type { TokenRecord } from "./tokens.ts";

const LINK_SECONDS = 15 * 60;
/** How many blobs are asked about at a time. */
const ABREAST = 16;
/** Parts of one job in a page; the results of a chunk are 200 KB at most. */
const PARTS_PER_PAGE = 10;

/** What a page has beside its items: for `backupPageSchema`. */
type Contents = Pick<BackupPage, "items" | "blobs">;

/**
 * A page of all that belongs to the lab, in no order, for a backup: the lab goes on meanwhile. What ended at or after
 * `since` may be in parts of different moments and is named in `again`.
 */
export async function backupPage(
  deps: Deps,
  principal: Principal,
  { since, cursor }: { since?: string | undefined; cursor?: string | undefined },
): Promise<BackupPage> {
  requireAdmin(principal);
  const time = nowOf(deps);
  const page = await deps.table.scan(cursor).catch(notACursor);
  const items = page.items.filter(belongsToBackup);
  const again = items.flatMap(({ key, data }) =>
    kindOf(key)?.name === "job" && isInMotion(data as JobRecord, since ?? time)
      ? [(data as JobRecord).id]
      : [],
  );
  return {
    ...(await withBlobs(deps, items)),
    again,
    time,
    ...(page.cursor === undefined ? {} : { cursor: page.cursor }),
  };
}

/**
 * One job and its parts, all of one moment: the job first, then what it says there is. Throws `not_found`. The first page has the
 * job itself.
 */
export async function backupJob(
  deps: Deps,
  principal: Principal,
  id: number,
  cursor?: string,
): Promise<BackupPage> {
  requireAdmin(principal);
  const time = nowOf(deps);
  const job = cursor === undefined ? await findJobItem(deps, id) : undefined;
  if (cursor === undefined && !job) throw new AppError("not_found", `there is no job ${id}`);
  const { attempt, lines, from } = job
    ? { attempt: attemptOf(job.data), lines: job.data.log_lines, from: undefined }
    : readCursor(cursor);
  const { partition } = chunkKey(id, 0);
  const page = await deps.table
    .query<object>("main", partition, {
      from: attemptKey(id, 1).sort,
      to: "results~",
      limit: PARTS_PER_PAGE,
      ...(from === undefined ? {} : { cursor: from }),
    })
    .catch(notACursor);
  const isOfMoment = (key: Key): boolean =>
    isPartOfLog(key)
      ? attemptOfPart(key) < attempt || (attemptOfPart(key) === attempt && lineOfPart(key) < lines)
      : kindOf(key)?.name === "attempt" && lineOfPart(key) < attempt;
  const parts = page.items.filter(({ key }) => isOfMoment(key));
  return {
    ...(await withBlobs(deps, job ? [job, ...parts] : parts)),
    again: [],
    time,
    ...(page.cursor === undefined ? {} : { cursor: `${attempt}.${lines}.${page.cursor}` }),
  };
}

/** An unknown kind is a newer Pumice's, and may matter. */
function belongsToBackup({ key, data }: { key: Key; data: object }): boolean {
  const kind = kindOf(key);
  if (kind?.name === "token") {
    const { kind: tokenKind } = data as TokenRecord;
    return tokenKind === "user" || tokenKind === "worker";
  }
  return kind?.travels ?? true;
}

/**
 * Whether more of a job's log may have come since, or its end. One that waits in the queue has nothing that could be of
 * another moment: it begins anew where it is restored.
 */
function isInMotion(
  { state, taken_back, end_time = "", attempt = 1 }: JobRecord,
  since: string,
): boolean {
  if (state === "Finished") return taken_back === true || end_time >= since;
  return state !== "Submitted" || attempt > 1;
}

async function withBlobs(deps: Deps, items: readonly Item<object>[]): Promise<Contents> {
  const wanted = items.flatMap(blobsOf);
  const blobs: BackupBlob[] = [];
  for (let at = 0; at < wanted.length; at += ABREAST) {
    const some = wanted.slice(at, at + ABREAST);
    const linked = await Promise.all(some.map((blob) => withLink(deps, blob)));
    blobs.push(...linked.filter(({ url }, n) => url !== undefined || !some[n]!.mayLack));
  }
  return { items: items.map(toBackup), blobs };
}

const toBackup = (item: Item<object>): BackupItem => item;

interface WantedBlob extends Pick<BackupBlob, "key" | "sha256"> {
  /** Nothing is lost where it is not there. */
  mayLack?: true;
}

function blobsOf({ key, data }: Item<object>): WantedBlob[] {
  if (kindOf(key)?.name === "device photos") {
    const { hostname, photos } = data as PhotosRecord;
    return photos.map(({ id }) => ({ key: photoBlob(hostname, id), sha256: id }));
  }
  const id = jobOfPart(key);
  if (id === 0) return [];
  if (key.sort === "job") {
    const job = data as JobRecord;
    const isMember = job.group !== undefined;
    const devices = Array.from({ length: attemptOf(job) }, (_, n) => deviceBlob(id, n + 1));
    return [
      { key: definitionBlob(id) },
      ...(isMember ? [{ key: multinodeBlob(id) }] : []),
      // An attempt that had none yet, or was before these were kept.
      ...devices.map((device) => ({ key: device, mayLack: true as const })),
    ];
  }
  if (kindOf(key)?.name !== "log chunk") return [];
  const { first_line, sha256 } = data as ChunkRecord;
  return [{ key: chunkBlob(id, first_line, sha256), sha256 }];
}

async function withLink(deps: Deps, { key, sha256 }: WantedBlob): Promise<BackupBlob> {
  const blob = { key, ...(sha256 === undefined ? {} : { sha256 }) };
  const bytes = await deps.blobs.sizeBytes(blob.key);
  if (bytes === undefined) return blob;
  const { url, headers } = await deps.blobs.signGet(blob.key, LINK_SECONDS);
  return { ...blob, bytes, url, headers };
}

/** Engines read their cursors as JSON. */
function notACursor(error: unknown): never {
  if (!(error instanceof SyntaxError)) throw error;
  throw new AppError("invalid", "cursor: expected the cursor of an earlier answer", {
    cause: error,
  });
}

/** Attempt and lines of the job as its first page had them, and the table's own cursor. */
function readCursor(cursor = ""): { attempt: number; lines: number; from: string } {
  const [, attempt, lines, from] = /^(\d{1,3})\.(\d{1,12})\.(.+)$/.exec(cursor) ?? [];
  if (attempt === undefined || lines === undefined || from === undefined) {
    throw new AppError("invalid", "cursor: expected the cursor of an earlier answer");
  }
  return { attempt: Number(attempt), lines: Number(lines), from };
}
