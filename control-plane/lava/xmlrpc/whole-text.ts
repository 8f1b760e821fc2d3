import type { Deps } from "../../domain/deps.ts";
import { Fault } from "./fault.ts";

/** What one answer carries at most, in characters: where a gateway stands before us, what that takes. */
const AT_ONCE_CHARS = 64 * 1024 * 1024;
const AT_ONCE_CHARS_BEHIND_GATEWAY = 3 * 1024 * 1024;

export const mostChars = ({ settings }: Deps): number =>
  settings.blobOrigin === undefined ? AT_ONCE_CHARS : AT_ONCE_CHARS_BEHIND_GATEWAY;

/** Pieces as one text; LAVA's clients want it in one answer. Throws a fault for what is too long for that: `instead` says what to ask. */
export async function wholeText(
  deps: Deps,
  pieces: AsyncIterable<string>,
  instead: string,
): Promise<string> {
  const most = mostChars(deps);
  let chars = 0;
  const whole: string[] = [];
  for await (const piece of pieces) {
    chars += piece.length;
    if (chars > most) throw new Fault(400, `this is too long for one answer: ${instead}`);
    whole.push(piece);
  }
  return whole.join("");
}
