import { requireTool } from "../../host/tool.ts";
import { insertTrees, type ImageKind } from "../../overlay/insert-trees.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { overlaySlot } from "../../pipeline/job-slots.ts";
import type { Slot } from "../../pipeline/slot.ts";

type Mapping = Readonly<Record<string, unknown>>;

/**
 * Puts the overlay into a downloaded disk or file system image, in place (DISPATCHER.md 11.2): into the partition
 * `root_partition` of the url object, from 0, or the whole image. Does nothing when no test needs an overlay.
 */
export const applyOverlayImage = (image: Slot<string>, source: Mapping): Action => ({
  name: "apply-overlay-image",
  onTimeout: "Infrastructure",
  needs: [image],
  validate: async () => {
    requireTool("debugfs");
    partitionOf(source, "root_partition");
    backendOf(source);
  },
  run: (context) =>
    apply(context, image, { format: "ext4", partition: partitionOf(source, "root_partition") }),
});

/** The same for an Android sparse image, which is one again afterwards. */
export const applyOverlaySparseImage = (image: Slot<string>): Action => ({
  name: "apply-overlay-sparse-image",
  onTimeout: "Infrastructure",
  needs: [image],
  validate: async () => requireTool("debugfs"),
  run: (context) => apply(context, image, { format: "ext4", isSparse: true }),
});

async function apply(
  { slots, signal, log }: RunContext,
  image: Slot<string>,
  kind: ImageKind,
): Promise<void> {
  const overlay = slots.find(overlaySlot);
  if (!overlay) return log.debug("no overlay to apply");
  await insertTrees(slots.take(image), kind, [overlay.root], signal);
  log.info(`The overlay is in the image, at ${overlay.lavaDir}`);
}

/** @throws JobFailure Job when it isn't a number of a partition. */
export function partitionOf(
  source: Mapping,
  key: "partition" | "root_partition",
): number | undefined {
  const value = source[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value;
  const message = `${key} '${String(value)}': expected the number of a partition, counted from 0`;
  throw new JobFailure("Job", message);
}

/** All of LAVA's names are taken; what does the work is e2fsprogs, which needs no appliance. */
export function backendOf(source: Mapping): void {
  const backend = source["overlay_backend"] ?? "auto";
  if (["auto", "e2fsprogs", "guestfs"].includes(String(backend))) return;
  const message = `overlay_backend '${String(backend)}': expected auto, e2fsprogs or guestfs`;
  throw new JobFailure("Job", message);
}
