import { copyFile, mkdir, open } from "node:fs/promises";
import path from "node:path";
import { appendCpio } from "../../overlay/cpio.ts";
import { cpioFolders } from "../../overlay/cpio-folders.ts";
import { unpackTar } from "../../host/tar.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { overlaySlot } from "../../pipeline/job-slots.ts";
import type { Slot } from "../../pipeline/slot.ts";
import { slot } from "../../pipeline/slot.ts";
import { downloadRetry } from "./download-action.ts";

type Mapping = Readonly<Record<string, unknown>>;

interface NamedOverlay {
  readonly name: string;
  readonly source: Mapping;
  readonly file: Slot<string>;
}

/**
 * The further steps of an image's `download-retry` when it has `overlays`: a download for each, then
 * `append-overlays` that puts all of them into the image (DISPATCHER.md 11.2).
 */
export function overlaySteps(
  label: string,
  image: Mapping,
  imageFile: Slot<string>,
  needsLava: boolean,
): Action[] {
  const overlays = image["overlays"] as Mapping | undefined;
  if (!overlays) return [];
  const named = Object.entries(overlays)
    .filter(([name]) => name !== "lava")
    .map(([name, source]): NamedOverlay => ({
      name,
      source: (source ?? {}) as Mapping,
      file: slot<string>(`overlay ${label}.${name}`),
    }));
  const withLava = needsLava && hasLavaOverlay(image);
  return [
    ...named.map(({ name, source, file }) =>
      downloadRetry({ label: `${label}.${name}`, source }, file),
    ),
    {
      name: "append-overlays",
      onTimeout: "Infrastructure",
      needs: [imageFile, ...named.map(({ file }) => file), ...(withLava ? [overlaySlot] : [])],
      validate: async () => check(label, image, named),
      run: (context) => appendAll(context, imageFile, named, withLava),
    },
  ];
}

export const hasLavaOverlay = (image: Mapping): boolean =>
  (image["overlays"] as Mapping | undefined)?.["lava"] === true;

function check(label: string, image: Mapping, named: readonly NamedOverlay[]): void {
  if (image["format"] !== "cpio.newc") {
    throw new JobFailure(
      "Job",
      `images.${label}.format '${String(image["format"])}': expected cpio.newc, the one format that overlays can be put into yet`,
    );
  }
  for (const { name, source } of named) {
    const { format, path: where } = source;
    if (format !== "file" && format !== "tar") {
      throw new JobFailure(
        "Job",
        `overlays.${name}.format '${String(format)}': expected file or tar`,
      );
    }
    const isPath = typeof where === "string" && where.startsWith("/");
    if (!isPath || where.split("/").includes("..")) {
      throw new JobFailure(
        "Job",
        `overlays.${name}.path '${String(where)}': expected an absolute path without ".."`,
      );
    }
  }
}

async function appendAll(
  context: RunContext,
  imageFile: Slot<string>,
  named: readonly NamedOverlay[],
  withLava: boolean,
): Promise<void> {
  const { slots, job, level, signal, log } = context;
  const image = slots.take(imageFile);
  const exists = await cpioFolders(image);
  const tree = path.join(job.scratch, `append-${level}`);
  const file = await open(image, "r+");
  try {
    for (const { name, source, file: downloaded } of named) {
      const root = path.join(tree, name.replace(/[^\w.-]/g, "_").replace(/^\.+/, "_"));
      const target = path.join(root, String(source["path"]));
      await mkdir(source["format"] === "tar" ? target : path.dirname(target), { recursive: true });
      if (source["format"] === "tar") await unpackTar(slots.take(downloaded), target, { signal });
      else await copyFile(slots.take(downloaded), target);
      await appendCpio(file, root, "", exists);
      log.debug(`overlay ${name} is at ${String(source["path"])}`);
    }
    if (withLava) {
      const { sourceDir, lavaDir } = slots.take(overlaySlot);
      await appendCpio(file, sourceDir, lavaDir.slice(1), exists);
      log.debug(`overlay lava is at ${lavaDir}`);
    }
  } finally {
    await file.close();
  }
}
