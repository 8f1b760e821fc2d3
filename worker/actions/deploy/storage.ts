import type { DeployBlock } from "#protocol/job-actions.ts";
import { mappingOf } from "../../host/mapping-of.ts";
import type { Action, JobContext } from "../../pipeline/action.ts";
import { slot } from "../../pipeline/slot.ts";
import type { DeployStrategy, StrategyContext } from "../../pipeline/strategy.ts";
import { applyOverlayImage } from "./apply-overlay-image.ts";
import { ddImage, type DdImages } from "./dd-image.ts";
import { downloadRetry } from "../download/download-action.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";

/** Media beside the one a board boots from, written from the system that runs on it (DISPATCHER.md 11, 11.4). */
export const usbDeploy = storageDeploy("usb");
export const sataDeploy = storageDeploy("sata");
export const sdDeploy = storageDeploy("sd");

function storageDeploy(to: "usb" | "sata" | "sd"): DeployStrategy {
  return {
    family: "deploy",
    name: to,
    refuses: (block, { device }) => {
      if (block.to !== to) return `the deployment is to ${block.to}`;
      const media = mappingOf(mappingOf(mappingOf(device.parameters)["media"])[to]);
      const known = Object.keys(media).filter((key) => key !== "UUID-required");
      const wanted = String(block["device"]);
      if (!known.includes(wanted)) {
        return `device '${wanted}': the device's parameters.media.${to} has ${known.join(", ") || "none"}`;
      }
      const main = imagesOf(block).get("image");
      return typeof main?.["url"] === "string"
        ? undefined
        : "the block has no image.url, nor images.image.url";
    },
    action: (block, context) => ({
      name: "storage-deploy",
      steps: steps(block, context, mediumId(context.job, to, String(block["device"]))),
    }),
  };
}

const mediumId = ({ device }: JobContext, to: string, label: string): string => {
  const media = mappingOf(mappingOf(mappingOf(device.parameters)["media"])[to]);
  return String(mappingOf(media[label])["uuid"] ?? "");
};

const imagesOf = (block: DeployBlock): Map<string, Readonly<Record<string, unknown>>> =>
  block["images"] === undefined
    ? new Map([["image", mappingOf(block["image"])]])
    : new Map(
        Object.entries(mappingOf(block["images"])).map(([label, image]) => [
          label,
          mappingOf(image),
        ]),
      );

function steps(block: DeployBlock, context: StrategyContext, medium: string): Action[] {
  const needsOverlay = context.overlayTests.length > 0;
  const isSingle = block["images"] === undefined;
  // Beside each other, so that a tool finds what belongs to an image (bmap) at the address next to it.
  const folder = block["uniquify"] === false ? ("block" as const) : ("label" as const);
  const files: DdImages = new Map(
    [...imagesOf(block).keys()].map((label) => [label, slot<string>(`storage ${label}`)]),
  );
  const fetched = [...imagesOf(block)].flatMap(([label, source]) => {
    const file = files.get(label);
    if (!file) return [];
    const wants = needsOverlay && (isSingle || source["apply-overlay"] === true);
    const url = { overlay_backend: block["overlay_backend"], ...source };
    return [
      downloadRetry({ label, source, folder }, file),
      ...(wants ? [applyOverlayImage(file, url)] : []),
    ];
  });
  return [
    ...(needsOverlay ? [lavaOverlay(context, block)] : []),
    ...fetched,
    ddImage(block, medium, files),
    ...(context.hasShell ? [{ name: "deploy-device-env" }] : []),
  ];
}
