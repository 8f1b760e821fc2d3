import { pythonRegex } from "../../console/python-regex.ts";
import { promptsSlot } from "../../pipeline/job-slots.ts";
import type { Slots } from "../../pipeline/slot.ts";

/** A job's prompts by name, for `Console.expect`. */
export function promptPatterns(prompts: readonly string[]): Record<string, RegExp> {
  return Object.fromEntries(
    prompts.map((prompt, index) => [`prompt ${index}`, pythonRegex(prompt)]),
  );
}

/** Awaited on a connection that nobody has said a prompt for (DISPATCHER.md 14). */
const UNSAID = ["lava-test: # "];

/** The prompts that a connection shows now. */
export const currentPrompts = (connection: Slots): readonly string[] =>
  connection.find(promptsSlot) ?? UNSAID;
