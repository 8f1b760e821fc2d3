import { constants } from "node:fs";
import { copyFile, rename, stat } from "node:fs/promises";

/**
 * Makes sure that a file that is going to be changed is nobody else's: what came by `downloads://` is a hard link to
 * a file that other deployments use too. Costs nothing when there is no other name for it.
 */
export async function ownCopy(file: string): Promise<void> {
  const { nlink } = await stat(file);
  if (nlink === 1) return;
  const copy = `${file}.own`;
  await copyFile(file, copy, constants.COPYFILE_FICLONE);
  await rename(copy, file);
}
