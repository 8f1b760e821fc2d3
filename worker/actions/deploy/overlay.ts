import { refusal } from "../../host/device-methods.ts";
import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";

/**
 * The overlay alone, for a system that is there already and fetches it itself, by `transfer_overlay` of its boot
 * (DISPATCHER.md 11).
 */
export const overlayDeploy: DeployStrategy = {
  family: "deploy",
  name: "overlay",
  refuses: (block, job) => refusal("deploy", "overlay", block.to, job),
  action: (block, context) => lavaOverlay(context, block),
};
