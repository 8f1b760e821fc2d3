/** What a person asks for at the begin of a line, as ssh has it. */
export type Escape = "leave" | "continue" | "help";

export interface Keys {
  /** To be typed as it is. */
  typed: Buffer;
  /** Asked for behind that, in order. */
  escapes: Escape[];
}

const TILDE = 0x7e;
const ESCAPES: Readonly<Record<number, Escape>> = { 0x2e: "leave", 0x63: "continue", 0x3f: "help" };

export const ESCAPE_HELP = [
  "~.  leave; the session goes on until its idle time is over",
  "~c  the job that waits goes on (pumice console --job)",
  "~?  this",
  "~~  a ~ at the begin of a line",
];

/** Finds `~.`, `~c` and `~?` at the begin of a line; everything else is typed as it is, `~~` as one. What comes behind `~.` is not typed. */
export function escapeKeys(): (bytes: Buffer) => Keys {
  let isLineStart = true;
  let isTilde = false;
  let hasLeft = false;
  return (bytes) => {
    const typed: number[] = [];
    const escapes: Escape[] = [];
    for (const byte of hasLeft ? [] : bytes) {
      const escape = isTilde ? ESCAPES[byte] : undefined;
      if (escape !== undefined) {
        escapes.push(escape);
        isTilde = false;
        hasLeft = escape === "leave";
        if (hasLeft) break;
        continue;
      }
      if (isTilde && byte !== TILDE) typed.push(TILDE);
      if (!isTilde && isLineStart && byte === TILDE) {
        isTilde = true;
        continue;
      }
      isTilde = false;
      typed.push(byte);
      isLineStart = byte === 0x0d || byte === 0x0a;
    }
    return { typed: Buffer.from(typed), escapes };
  };
}
