import { copyFile, mkdir } from "node:fs/promises";
import path from "node:path";
import { unpackTar } from "../../host/tar.ts";
import { requireTool } from "../../host/tool.ts";
import { IMAGE_FORMATS, insertTrees, type ImageKind } from "../../overlay/insert-trees.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { overlaySlot } from "../../pipeline/job-slots.ts";
import type { Slot } from "../../pipeline/slot.ts";
import { slot } from "../../pipeline/slot.ts";
import { backendOf, partitionOf } from "./apply-overlay-image.ts";
import { downloadRetry } from "../download/download-action.ts";

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
  // LAVA has it in its plan when only the image asks for an overlay; with no test there is nothing to put in.
  const isIdle = !needsLava && hasLavaOverlay(image);
  return [
    ...named.map(({ name, source, file }) =>
      downloadRetry({ label: `${label}.${name}`, source }, file),
    ),
    ...(isIdle ? [{ name: "lava-create-overlay" }] : []),
    {
      name: "append-overlays",
      onTimeout: "Infrastructure",
      needs: [imageFile, ...named.map(({ file }) => file), ...(withLava ? [overlaySlot] : [])],
      validate: async () => check(label, image, named),
      run: (context) => appendAll(context, label, image, imageFile, named),
    },
  ];
}

export const hasLavaOverlay = (image: Mapping): boolean =>
  (image["overlays"] as Mapping | undefined)?.["lava"] === true;

function check(label: string, image: Mapping, named: readonly NamedOverlay[]): void {
  const { format, isSparse, partition } = kindOf(label, image);
  if (format === "ext4") requireTool("debugfs");
  if (format === "tar") requireTool("tar");
  if (format !== "ext4" && (isSparse || partition !== undefined)) {
    const message = `images.${label}: sparse and partition are for format ext4, not ${format}`;
    throw new JobFailure("Job", message);
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

function kindOf(label: string, image: Mapping): ImageKind {
  const format = IMAGE_FORMATS.find((known) => known === image["format"]);
  if (!format) {
    throw new JobFailure(
      "Job",
      `images.${label}.format '${String(image["format"])}': expected ${IMAGE_FORMATS.join(", ")}, as it has overlays`,
    );
  }
  backendOf(image);
  return {
    format,
    partition: partitionOf(image, "partition"),
    isSparse: image["sparse"] === true,
  };
}

async function appendAll(
  context: RunContext,
  label: string,
  image: Mapping,
  imageFile: Slot<string>,
  named: readonly NamedOverlay[],
): Promise<void> {
  const { slots, job, level, signal, log } = context;
  const roots: string[] = [];
  for (const { name, source, file } of named) {
    // Two overlays may be told apart only by what is replaced.
    const safe = name.replace(/[^\w.-]/g, "_").replace(/^\.+/, "_");
    const root = path.join(job.scratch, `append-${level}`, `${roots.length}-${safe}`);
    const target = path.join(root, String(source["path"]));
    await mkdir(source["format"] === "tar" ? target : path.dirname(target), { recursive: true });
    if (source["format"] === "tar") await unpackTar(slots.take(file), target, { signal });
    else await copyFile(slots.take(file), target);
    roots.push(root);
    log.debug(`overlay ${name} is put at ${String(source["path"])}`);
  }
  const overlay = hasLavaOverlay(image) ? slots.find(overlaySlot) : undefined;
  if (overlay) {
    roots.push(overlay.root);
    log.debug(`overlay lava is put at ${overlay.lavaDir}`);
  }
  await insertTrees(slots.take(imageFile), kindOf(label, image), roots, signal);
}
