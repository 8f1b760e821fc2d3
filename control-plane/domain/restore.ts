import { editChange, removal } from "./changes.ts";
import * as v from "valibot";
import type { BackupItem, BlobPlaces, RestoreBegun, RestoredBlob } from "#protocol/backup.ts";
import type { NewItem, Operation } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { findClosed, nowOf, putClosed, saying } from "./closed-lab.ts";
import type { Deps } from "./deps.ts";
import { deviceTypeNames } from "./device-types.ts";
import { expiryOfJob } from "./end-job.ts";
import { isPartOfLog, jobOfPart, kindOf } from "./item-kinds.ts";
import { jobItem, type JobRecord } from "./job-record.ts";
import { closedKey, restoredKey, templatesKey } from "./keys.ts";
import { usersKnownKey } from "./people-keys.ts";
import { expiryOfParts } from "./log-chunks.ts";
import { requireAdmin, type Principal } from "./principal.ts";
import { retrying } from "./retrying.ts";
import { settlePage } from "./settle-restored.ts";
import { without } from "./without.ts";

const PUT_SECONDS = 15 * 60;
/** How many things of a lab a refusal names. */
const NAMED = 5;
/** What a new lab has: its first administrator, and what they did to it so far. */
const OWN: readonly string[] = ["token", "user", "change"];

/**
 * Closes the lab for a backup that comes in; again after a cut. Throws `conflict` when the lab has anything of its own
 * but people and their tokens, or when it is closed for something else.
 */
export async function beginRestore(
  deps: Deps,
  principal: Principal,
  backup: string,
): Promise<RestoreBegun> {
  const { name: user } = requireAdmin(principal);
  const restored = await deps.table.get<{ backup: string }>(restoredKey);
  if (restored?.data.backup === backup) return { done: true };
  if ((await findClosed(deps))?.data.backup === backup) return { done: false };
  // Closed before the look, so that nothing comes in after it.
  await putClosed(deps, { why: "restore", user, since: nowOf(deps), backup });
  await requireRestoring(deps, backup);
  const found = await whatIsThere(deps);
  if (found.length === 0) return { done: false };
  await deps.table.transact([
    { delete: closedKey },
    ...removal(deps, "lab", "closed", { for: "restore" }, { name: user }),
  ]);
  const more = found.length > NAMED ? ", and more" : "";
  throw new AppError(
    "conflict",
    `a backup can be restored only into a new lab, and this one has ${found.slice(0, NAMED).join(", ")}${more}`,
  );
}

/**
 * Puts items of the backup; the same ones again do no harm, of one key the last one counts. Throws `invalid` for one that is
 * not what its key says, or of a kind that this version does not know.
 */
export async function restoreItems(
  deps: Deps,
  principal: Principal,
  backup: string,
  items: readonly BackupItem[],
): Promise<void> {
  requireAdmin(principal);
  await requireRestoring(deps, backup);
  const made = new Map<string, NewItem>();
  let lastJob = 0;
  for (const item of items) {
    const remade = remake(deps, item);
    made.set(JSON.stringify([item.key.partition, item.key.sort]), remade);
    lastJob = Math.max(lastJob, jobOfPart(item.key));
  }
  // The next job of this lab comes after all of the other one.
  if (lastJob > 0) await deps.table.raiseCounter("job", lastJob);
  await retrying(async () => {
    const operations: Operation[] = [];
    for (const item of made.values()) {
      if (await isOurs(deps, item)) continue;
      operations.push({ put: item });
    }
    if (operations.length > 0) await deps.table.transact(operations);
  });
}

/** Where to PUT blobs of the backup, but those which are there. */
export async function restoreBlobs(
  deps: Deps,
  principal: Principal,
  backup: string,
  blobs: readonly RestoredBlob[],
): Promise<BlobPlaces> {
  requireAdmin(principal);
  await requireRestoring(deps, backup);
  const place = async ({ key, bytes, sha256 }: RestoredBlob) => {
    if ((await deps.blobs.sizeBytes(key)) === bytes) return { key };
    const expiresInSeconds = PUT_SECONDS;
    const put = { key, sizeBytes: bytes, sha256, expiresInSeconds };
    const { url, headers } = await deps.blobs.signPut(put);
    return { key, url, headers };
  };
  return { blobs: await Promise.all(blobs.map(place)) };
}

/**
 * After all items: makes some of them agree, as they may be of different moments (settle-restored.ts). To be called with the
 * cursor of the answer until there is none.
 */
export async function settleRestored(
  deps: Deps,
  principal: Principal,
  backup: string,
  cursor?: string,
): Promise<{ cursor?: string }> {
  requireAdmin(principal);
  await requireRestoring(deps, backup);
  return settlePage(deps, cursor);
}

/** Opens the lab. Again does nothing. */
export async function endRestore(deps: Deps, principal: Principal, backup: string): Promise<void> {
  const user = requireAdmin(principal);
  const restored = await deps.table.get<{ backup: string }>(restoredKey);
  if (restored?.data.backup === backup) return;
  await requireRestoring(deps, backup);
  await deps.table.transact([
    { delete: closedKey },
    ...editChange(deps, "lab", "restored", [{}, { backup }], { who: user.name }),
    { put: { key: restoredKey, data: { backup, time: nowOf(deps) } } },
    { put: { key: templatesKey, data: {} } },
    { delete: usersKnownKey },
  ]);
  for (const deviceType of await deviceTypeNames(deps)) await deps.signals.requestPass(deviceType);
}

/** Throws `conflict` unless this very backup is being restored. */
async function requireRestoring(deps: Deps, backup: string): Promise<void> {
  const closed = (await findClosed(deps))?.data;
  if (closed?.backup === backup) return;
  const message = closed ? saying(closed) : "no restore has been begun; begin it again";
  throw new AppError("conflict", message);
}

/** Names of what makes a lab not new. */
async function whatIsThere(deps: Deps): Promise<string[]> {
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await deps.table.scan(cursor);
    for (const { key } of page.items) {
      const kind = kindOf(key);
      if (OWN.includes(kind?.name ?? "") || kind?.travels === false) continue;
      const name = [key.partition.split("#").slice(1).join("#"), key.sort].find(Boolean);
      found.push(`${kind?.name ?? key.partition} ${name}`);
    }
    cursor = page.cursor;
  } while (cursor !== undefined && found.length <= NAMED);
  return found;
}

/** The item as this lab writes it: its lists, and how long it is kept. */
function remake(deps: Deps, { key, data }: BackupItem): NewItem {
  const what = `${key.partition} ${key.sort}`.slice(0, 300);
  const kind = kindOf(key);
  if (!kind) {
    const message = `${what}: this Pumice does not know such items; a newer one is needed for this backup`;
    throw new AppError("invalid", message);
  }
  if (!kind.travels) throw new AppError("invalid", `${what}: does not belong into a backup`);
  const read = v.safeParse(kind.schema, data);
  if (!read.success) {
    const [issue] = read.issues;
    throw new AppError("invalid", `${what}: ${v.getDotPath(issue) ?? "data"}: ${issue.message}`);
  }
  const item = kind.remake(data as never, key);
  if (item.key.partition !== key.partition || item.key.sort !== key.sort) {
    throw new AppError("invalid", `${what}: its data is of another ${kind.name}`);
  }
  if (kind.name === "job") return keptJob(deps, data as JobRecord);
  return isPartOfLog(key) || kind.name === "attempt" ? { ...item, ...expiryOfParts(deps) } : item;
}

/** A job is kept as long as this lab keeps its own, counted from now: so are its blobs. */
function keptJob(deps: Deps, job: JobRecord): NewItem {
  const rest = without(job, "expires");
  return jobItem(job.state === "Finished" ? { ...rest, ...expiryOfJob(deps) } : rest);
}

/** Who restores goes on as they are: users and tokens of this lab stay. */
const isOurs = async (deps: Deps, { key }: NewItem): Promise<boolean> =>
  ["token", "user"].includes(kindOf(key)?.name ?? "") && (await deps.table.get(key)) !== undefined;
