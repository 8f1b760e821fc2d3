import {
  backupItemSchema,
  blobPlacesSchema,
  MAX_RESTORED_BLOBS,
  MAX_RESTORED_BYTES,
  MAX_RESTORED_ITEMS,
  restoreBegunSchema,
  settledSchema,
  type BackupItem,
} from "#protocol/backup.ts";
import type { Client } from "../client.ts";
import type { Context } from "../command.ts";
import {
  blobFile,
  blobLineSchema,
  readExact,
  readLines,
  type BlobLine,
  type Manifest,
} from "./backup-folder.ts";
import { readAnswer } from "./read-answer.ts";
import { abreast, putBlob, withFreshLinks, type Place } from "./transfer.ts";

interface Run {
  readonly context: Context;
  readonly client: Client;
  readonly place: Place;
  /** `/backup/restore/ID` */
  readonly where: string;
  items: number;
  blobs: number;
}

type WholeBlob = Extract<BlobLine, { bytes: number }>;

/**
 * Brings a backup that was checked into an empty lab; after a cut, again from the start, where what is there already costs
 * little. The lab is closed until all of it is there. Answers whether there was anything to do.
 */
export async function restoreBackup(
  context: Context,
  dir: string,
  { id, files, format }: Manifest,
): Promise<boolean> {
  const client = context.client("patient");
  const place: Place = { base: client.url, dir, signal: context.signal };
  const run: Run = { context, client, place, where: `/backup/restore/${id}`, items: 0, blobs: 0 };
  const begun = readAnswer(
    client,
    restoreBegunSchema,
    await client.json("PUT", run.where, { format }),
  );
  if (begun.done) return false;
  // The files stand in their order: blobs before the items that name them, and what is newer after what is older.
  for (const file of files) {
    if (file.name.startsWith("items-")) {
      await sendItems(run, readLines(dir, file, backupItemSchema));
      continue;
    }
    const blobs = readLines(dir, file, blobLineSchema).filter((blob) => "bytes" in blob);
    await sendBlobs(run, blobs);
  }
  let cursor: string | undefined;
  do {
    const body = cursor === undefined ? {} : { cursor };
    const answer = await client.json<unknown>("PUT", `${run.where}/settle`, body);
    ({ cursor } = readAnswer(client, settledSchema, answer));
  } while (cursor !== undefined);
  await client.json("PUT", `${run.where}/end`);
  return true;
}

async function sendItems(run: Run, items: BackupItem[]): Promise<void> {
  let some: BackupItem[] = [];
  let chars = 0;
  const send = async () => {
    if (some.length > 0) await run.client.json("PUT", `${run.where}/items`, { items: some });
    run.items += some.length;
    tell(run);
    some = [];
    chars = 0;
  };
  for (const item of items) {
    const size = Buffer.byteLength(JSON.stringify(item));
    if (some.length === MAX_RESTORED_ITEMS || chars + size > MAX_RESTORED_BYTES) await send();
    some.push(item);
    chars += size;
  }
  await send();
}

async function sendBlobs(run: Run, blobs: WholeBlob[]): Promise<void> {
  for (let at = 0; at < blobs.length; at += MAX_RESTORED_BLOBS) {
    const some = blobs.slice(at, at + MAX_RESTORED_BLOBS);
    await withFreshLinks(() => sendSome(run, some));
    run.blobs += some.length;
    tell(run);
  }
}

async function sendSome({ client, place, where }: Run, blobs: WholeBlob[]): Promise<void> {
  const answer = await client.json<unknown>("PUT", `${where}/blobs`, { blobs });
  const { blobs: places } = readAnswer(client, blobPlacesSchema, answer);
  await abreast(places, async ({ key, url, headers }) => {
    const blob = blobs.find((one) => one.key === key);
    if (url === undefined || !blob) return;
    const content = readExact(blobFile(place.dir, key), blob.bytes, blob.sha256);
    await putBlob(place, { url, headers }, content);
  });
}

const tell = ({ context, items, blobs }: Run): void =>
  context.terminal.progress?.(`items: ${items}, files of jobs: ${blobs}`);
