import type { DeployBlock } from "#protocol/job-actions.ts";
import type { Action } from "../../pipeline/action.ts";
import { imagesSlot, uefiSlot, type DeployedImage } from "../../pipeline/job-slots.ts";
import { slot, type Slot } from "../../pipeline/slot.ts";
import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { hasLavaOverlay, overlaySteps } from "./append-overlays.ts";
import { applyOverlayGuest } from "./apply-overlay-guest.ts";
import { downloadRetry } from "../download/download-action.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";

type Mapping = Readonly<Record<string, unknown>>;

/** Files for a virtual device, each with the argument that hands it to the emulator (DISPATCHER.md 11). */
export const tmpfsDeploy: DeployStrategy = {
  family: "deploy",
  name: "tmpfs",
  refuses: (block, { device }) => {
    if (block.to !== "tmpfs") return `the deployment is to ${block.to}`;
    const offered = Object.keys(device.actions.deploy.methods ?? {});
    if (!offered.includes("image")) {
      return `the device has no deploy method image (it has ${offered.join(", ") || "none"})`;
    }
    const wrong = imagesOf(block).find(([, image]) => typeof image["url"] !== "string");
    if (wrong) return `images.${wrong[0]} has no url`;
    return imagesOf(block).length > 0 ? undefined : "the block has no images";
  },
  action: (block, context) => {
    const { overlayTests, hasShell } = context;
    const needsOverlay = overlayTests.length > 0;
    const images = imagesOf(block);
    const uefi = mapping(block["uefi"]);
    const files = images.map(([label, image]) => ({
      label,
      image,
      file: slot<string>(`image ${label}`),
    }));
    const hasUefi = typeof uefi?.["url"] === "string";
    const alreadyIn = images.find(([, image]) => hasLavaOverlay(image))?.[0];
    return {
      name: "deployimages",
      // A second deployment has its own images only.
      run: async ({ slots }) => [imagesSlot, uefiSlot].forEach((left) => slots.clear(left)),
      steps: [
        ...(needsOverlay ? [lavaOverlay(context, block)] : []),
        // Its values travel in the overlay and in boot's export-device-env.
        ...(hasShell ? [{ name: "deploy-device-env" }] : []),
        ...(hasUefi ? [downloadRetry({ label: "uefi", source: uefi }, uefiSlot)] : []),
        ...files.map(({ label, image, file }) => imageSteps(label, image, file, needsOverlay)),
        ...(needsOverlay ? [applyOverlayGuest(alreadyIn)] : []),
      ],
    };
  },
};

function imageSteps(
  label: string,
  image: Mapping,
  file: Slot<string>,
  needsOverlay: boolean,
): Action {
  const fetched = downloadRetry(
    { label, source: image },
    file,
    overlaySteps(label, image, file, needsOverlay),
  );
  return {
    ...fetched,
    gives: [file, imagesSlot],
    runAfter: async ({ slots, log }) => {
      const imageArg = image["image_arg"];
      if (typeof imageArg !== "string") {
        log.warning(`image ${label} has no image_arg: the emulator will not see it`);
      }
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

const imagesOf = (block: DeployBlock): (readonly [string, Mapping])[] =>
  Object.entries(mapping(block["images"]) ?? {}).map(
    ([label, image]) => [label, mapping(image) ?? {}] as const,
  );

const mapping = (value: unknown): Mapping | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Mapping)
    : undefined;
