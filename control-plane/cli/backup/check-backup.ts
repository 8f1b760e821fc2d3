import { backupItemSchema } from "#protocol/backup.ts";
import { UsageError } from "../command.ts";
import {
  blobFile,
  blobLineSchema,
  findManifest,
  readExact,
  readLines,
  type Manifest,
} from "./backup-folder.ts";

/**
 * Reads all of a backup and compares it with its hashes. Throws a UsageError when there is no complete backup, an Error
 * with the file that is not as it was written. `told` hears how many files of jobs were read.
 */
export function checkBackup(dir: string, told: (blobs: number) => void = () => {}): Manifest {
  const manifest = findManifest(dir);
  if (!manifest) throw new UsageError(`${dir} has no backup: there is no backup.json`);
  if (!manifest.complete) {
    throw new UsageError(
      `${dir}: this backup is not complete; pumice export --all goes on with it`,
    );
  }
  let blobs = 0;
  for (const file of manifest.files) {
    if (file.name.startsWith("items-")) {
      readLines(dir, file, backupItemSchema);
      continue;
    }
    for (const blob of readLines(dir, file, blobLineSchema)) {
      if ("missing" in blob) continue;
      readExact(blobFile(dir, blob.key), blob.bytes, blob.sha256);
      told(++blobs);
    }
  }
  return manifest;
}
