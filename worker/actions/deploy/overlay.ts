import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";

/**
 * The overlay alone, for a system that is there already and fetches it itself, by `transfer_overlay` of its boot
 * (DISPATCHER.md 11).
 */
export const overlayDeploy: DeployStrategy = {
  family: "deploy",
  name: "overlay",
  refuses: ({ to }, { device }) => {
    if (to !== "overlay") return `the deployment is to ${to}`;
    const offered = Object.keys(device.actions.deploy.methods ?? {});
    if (offered.includes("overlay")) return undefined;
    return `the device has no deploy method overlay (it has ${offered.join(", ") || "none"})`;
  },
  action: (block, context) => lavaOverlay(context, block),
};
