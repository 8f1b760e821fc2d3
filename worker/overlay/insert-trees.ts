import { open, rename, rm } from "node:fs/promises";
import { ownCopy } from "../host/own-copy.ts";
import { appendTar } from "./append-tar.ts";
import { cpioFolders } from "./cpio-folders.ts";
import { appendCpio } from "./cpio.ts";
import { addToExt4 } from "./ext4-edit.ts";
import { imagePart } from "./partition-table.ts";
import { packSparse, unpackSparse } from "./sparse-image.ts";

/** Formats of an image that files can be put into (DISPATCHER.md 11.2). */
export const IMAGE_FORMATS = ["cpio.newc", "ext4", "tar"] as const;
export type ImageFormat = (typeof IMAGE_FORMATS)[number];

export interface ImageKind {
  readonly format: ImageFormat;
  /** Of a disk image, from 0; the image is the file system itself when not given. ext4 only. */
  readonly partition?: number | undefined;
  /** An Android sparse image, and to be one again. ext4 only. */
  readonly isSparse?: boolean;
}

/**
 * Puts what is in folders that stand for `/` into an image, one after the other; a later one wins. Of an archive only
 * its end is written, of a file system what changes.
 *
 * @throws JobFailure Job when the image isn't what it is said to be, or is too small.
 */
export async function insertTrees(
  image: string,
  kind: ImageKind,
  roots: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  await ownCopy(image);
  if (kind.format === "cpio.newc") return insertIntoCpio(image, roots);
  if (kind.format === "tar") {
    for (const root of roots) await appendTar(image, root, signal);
    return;
  }
  if (!kind.isSparse) return insertIntoExt4(image, kind, roots, signal);
  const raw = `${image}.raw`;
  try {
    const layout = await unpackSparse(image, raw, signal);
    await insertIntoExt4(raw, kind, roots, signal);
    await packSparse(raw, `${image}.new`, layout, signal);
    await rename(`${image}.new`, image);
  } finally {
    await rm(raw, { force: true });
    await rm(`${image}.new`, { force: true });
  }
}

async function insertIntoExt4(
  image: string,
  { partition }: ImageKind,
  roots: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const part = await imagePart(image, partition);
  for (const folder of roots) await addToExt4(image, part, { folder, at: "/" }, signal);
}

async function insertIntoCpio(image: string, roots: readonly string[]): Promise<void> {
  const exists = await cpioFolders(image);
  const file = await open(image, "r+");
  try {
    for (const root of roots) await appendCpio(file, root, "", exists);
  } finally {
    await file.close();
  }
}
