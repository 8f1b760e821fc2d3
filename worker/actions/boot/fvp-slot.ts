import { slot } from "../../pipeline/slot.ts";

/** A model that runs. */
export interface RunningFvp {
  readonly container: string;
  readonly globalOptions: readonly string[];
  /** What its arguments may name: images by label in capitals, and ARTIFACT_DIR, as the container sees them. */
  readonly files: Readonly<Record<string, string>>;
  /** Ports by what said them: `console`, or the name of a feedback. */
  readonly ports: Record<string, string>;
  /** False once the model's own output is not the DUT's console any more. */
  isMain: boolean;
}
export const fvpSlot = slot<RunningFvp>("fvp");
