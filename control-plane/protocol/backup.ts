import * as v from "valibot";

/**
 * A whole lab as data, for backups and for moving to another engine. `GET /api/v1/backup/items` and `/backup/jobs/ID` tell it page by
 * page, `PUT /api/v1/backup/restore/ID...` brings it into an empty lab. What an item means is the control plane's business:
 * whoever carries it keeps it as it is.
 */

/** Form of the items and of the folder around them; a newer one is refused. */
export const BACKUP_FORMAT = 1;
/** At most so many items in one request of a restore. */
export const MAX_RESTORED_ITEMS = 100;
/** And at most so long as JSON: what Lambda hands on is limited to 6 MB after the text was escaped once more. */
export const MAX_RESTORED_BYTES = 1_500_000;
/** At most so many blobs in one request of a restore. */
export const MAX_RESTORED_BLOBS = 50;

const wholeNumber = v.pipe(v.number("expected a whole number"), v.integer(), v.minValue(0));
const text = v.string("expected text");
export const sha256Schema = v.pipe(text, v.regex(/^[0-9a-f]{64}$/, "expected a SHA-256"));
const keySchema = v.object({ partition: text, sort: text });

/** One item of the table (ports/table.ts). */
export const backupItemSchema = v.object({
  key: keySchema,
  version: wholeNumber,
  data: v.custom<object>(
    (value) => typeof value === "object" && value !== null && !Array.isArray(value),
    "expected an object",
  ),
  keys: v.optional(v.record(v.picklist(["i1", "i2", "i3", "i4"]), keySchema)),
  expires: v.optional(v.number()),
});
export type BackupItem = v.InferOutput<typeof backupItemSchema>;

/** Keys of blobs that belong to jobs and devices: a path on a disk may be made of them. */
export const blobKeySchema = v.pipe(
  text,
  v.maxLength(300),
  v.regex(
    /^(jobs\/[1-9]\d{0,14}\/((?:definition|multinode|device-[1-9]\d{0,2})\.yaml|log\/\d{12}-[0-9a-f]{16}\.jsonl\.gz)|device-photos\/[A-Za-z0-9][\w.-]{0,199}\/[0-9a-f]{64})$/,
    "expected the key of a job's blob or a device's photo",
  ),
);

/** A signed request; `url` may be relative to the control plane's address. */
const signedSchema = { url: v.string(), headers: v.record(v.string(), v.string()) };

/** A blob that belongs to the items of a page, and where to get it for the next minutes. Without `url` it is gone. */
export const backupBlobSchema = v.object({
  key: blobKeySchema,
  bytes: v.optional(wholeNumber),
  /** When it is known what it must be. */
  sha256: v.optional(sha256Schema),
  ...v.partial(v.object(signedSchema)).entries,
});
export type BackupBlob = v.InferOutput<typeof backupBlobSchema>;

/** Answer of `GET /backup/items?since=&cursor=` and `GET /backup/jobs/ID?cursor=`. */
export const backupPageSchema = v.object({
  items: v.array(backupItemSchema),
  blobs: v.array(backupBlobSchema),
  /**
   * Jobs of these items that were in motion at or after `since`: their parts may be of different moments, so each is read once more
   * by `/backup/jobs/ID` after the last page, and what that tells goes behind.
   */
  again: v.array(wholeNumber),
  /** The control plane's clock: the first page's is `since` of the others. */
  time: v.string(),
  cursor: v.optional(v.string()),
});
export type BackupPage = v.InferOutput<typeof backupPageSchema>;

/** `PUT /backup/restore/ID`, ID being the backup's: makes an empty lab ready, and again after a cut. */
export const beginRestoreSchema = v.object({
  format: v.literal(BACKUP_FORMAT, `expected a backup of format ${BACKUP_FORMAT}`),
});
/** `done`: this backup has been restored here already. */
export const restoreBegunSchema = v.object({ done: v.boolean() });
export type RestoreBegun = v.InferOutput<typeof restoreBegunSchema>;

/** `PUT /backup/restore/ID/items` */
export const restoreItemsSchema = v.object({
  items: v.pipe(v.array(backupItemSchema), v.maxLength(MAX_RESTORED_ITEMS)),
});

/** `PUT /backup/restore/ID/blobs`: where to PUT each; without `url` it is there already. */
export const restoreBlobsSchema = v.object({
  blobs: v.pipe(
    v.array(v.object({ key: blobKeySchema, bytes: wholeNumber, sha256: sha256Schema })),
    v.maxLength(MAX_RESTORED_BLOBS),
  ),
});
export type RestoredBlob = v.InferOutput<typeof restoreBlobsSchema>["blobs"][number];
export const blobPlacesSchema = v.object({
  blobs: v.array(v.object({ key: v.string(), ...v.partial(v.object(signedSchema)).entries })),
});
export type BlobPlaces = v.InferOutput<typeof blobPlacesSchema>;

/** `PUT /backup/restore/ID/settle`: makes jobs, devices and workers agree, some at a time, until there is no cursor. */
export const settleRequestSchema = v.object({ cursor: v.optional(v.string()) });
export const settledSchema = v.object({ cursor: v.optional(v.string()) });
export type Settled = v.InferOutput<typeof settledSchema>;

/** `GET /backup/state` and answer of `PUT /backup/closed` and `DELETE /backup/closed` */
export const labStateSchema = v.object({
  /** Why the lab takes nothing new. */
  closed: v.optional(v.picklist(["move", "restore"])),
});
export type LabState = v.InferOutput<typeof labStateSchema>;
