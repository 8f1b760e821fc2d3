import type { TestShell } from "../../overlay/test-shell.ts";
import { slot } from "../../pipeline/slot.ts";

/** An overlay while `lava-overlay` fills it. */
export interface OverlayFolder {
  /** Stands for `/` of the DUT. */
  readonly root: string;
  /** Folder on the worker whose content will be `$L`'s. */
  readonly path: string;
  readonly shell: TestShell;
}
export const overlayFolderSlot = slot<OverlayFolder>("overlay-folder");
