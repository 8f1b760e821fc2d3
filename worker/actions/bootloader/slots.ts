import { slot } from "../../pipeline/slot.ts";

/** The commands to type, after substitution (`bootloader-overlay`). */
export const bootCommandsSlot = slot<readonly string[]>("boot-commands");

/** Set when the bootloader's prompt has come and nothing was typed since: it won't come again by itself. */
export const atPromptSlot = slot<boolean>("at-bootloader-prompt");
