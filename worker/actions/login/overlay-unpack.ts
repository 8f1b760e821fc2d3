import type { BootBlock } from "#protocol/job-actions.ts";
import type { Action } from "../../pipeline/action.ts";

/** `overlay-unpack` when the block has `transfer_overlay` (DISPATCHER.md 14). */
export function overlayUnpackSteps(block: BootBlock): Action[] {
  return block["transfer_overlay"] === undefined ? [] : [{ name: "overlay-unpack" }];
}
