import type { DeployBlock } from "#protocol/job-actions.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import { imagesSlot, type DeployedImage } from "../../pipeline/job-slots.ts";
import { slot, type Slot } from "../../pipeline/slot.ts";
import { overlaySteps } from "./append-overlays.ts";
import { downloadRetry } from "../download/download-action.ts";

type Mapping = Readonly<Record<string, unknown>>;

/** An image of a block's `images`, with the slot where its file will be. */
export interface BlockImage {
  readonly label: string;
  readonly source: Mapping;
  readonly file: Slot<string>;
}

/** The images of a block in the job's order; without any when it has none. */
export const blockImages = (block: DeployBlock): BlockImage[] =>
  Object.entries((block["images"] ?? {}) as Mapping).map(([label, source]) => ({
    label,
    source: (source ?? {}) as Mapping,
    file: slot<string>(`image ${label}`),
  }));

/** DL of DISPATCHER.md 11 for one image, which is put beside the others for the boot action. */
export function imageDownload(
  block: DeployBlock,
  { label, source, file }: BlockImage,
  needsOverlay: boolean,
): Action {
  const folder = block["uniquify"] === false ? ("block" as const) : ("label" as const);
  const fetched = downloadRetry(
    { label, source, folder },
    file,
    overlaySteps(label, source, file, needsOverlay),
  );
  return {
    ...fetched,
    gives: [file, imagesSlot],
    runAfter: async ({ slots }) => {
      const imageArg = source["image_arg"];
      const deployed: DeployedImage = {
        label,
        path: slots.take(file),
        imageArg: typeof imageArg === "string" ? imageArg : undefined,
      };
      const others = [...(slots.find(imagesSlot) ?? [])].filter(([name]) => name !== label);
      slots.put(imagesSlot, new Map([...others, [label, deployed]]));
    },
  };
}

/** What is wrong with a block's images; undefined when nothing is. */
export function imagesRefusal(block: DeployBlock): string | undefined {
  const images = blockImages(block);
  const wrong = images.find(({ source }) => typeof source["url"] !== "string");
  if (wrong) return `images.${wrong.label} has no url`;
  return images.length > 0 ? undefined : "the block has no images";
}

/** A second deployment has its own images only. */
export const forgetImages = async ({ slots }: Pick<RunContext, "slots">): Promise<void> =>
  slots.clear(imagesSlot);
