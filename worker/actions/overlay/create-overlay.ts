import type { Action } from "../../pipeline/action.ts";
import { overlaySlot, type Overlay } from "../../pipeline/job-slots.ts";
import { slot, type Slot } from "../../pipeline/slot.ts";
import type { StrategyContext } from "../../pipeline/strategy.ts";
import { lavaOverlay } from "./overlay-actions.ts";

const dutOverlaySlot = slot<Overlay | undefined>("overlay-of-the-dut");

/**
 * `lava-create-overlay`: the overlay once more, as a folder for a container. What the DUT was deployed with stays as
 * it is: a later test there reports under its own names.
 */
export function createOverlay(
  context: Pick<StrategyContext, "overlayTests" | "job">,
  block: Readonly<Record<string, unknown>>,
  into: Slot<Overlay>,
): Action {
  const made = lavaOverlay(context, block, { name: "lava-create-overlay", compress: false });
  return {
    ...made,
    gives: [into],
    run: async ({ slots }) => slots.put(dutOverlaySlot, slots.find(overlaySlot)),
    runAfter: async ({ slots }) => {
      const before = slots.find(dutOverlaySlot);
      slots.put(into, slots.take(overlaySlot));
      if (before === undefined) slots.clear(overlaySlot);
      else slots.put(overlaySlot, before);
    },
  };
}
