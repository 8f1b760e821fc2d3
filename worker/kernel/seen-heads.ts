import { clipped, type KernelText } from "./kernel-text.ts";

const MAX_SEEN = 256;
/** CPUs take their times before they queue for the log: so much they may be out of order. */
const SLACK_SECONDS = 1;

/** Knows the first lines of reports again that are printed once more, with their old times. */
export class SeenHeads {
  readonly #seen = new Set<string>();
  /** What was said until then may have been seen and is forgotten. */
  #forgottenUntil = -1;
  #newest = -1;

  /** Whether this line was seen before; from now on it was. Lines without a time are always new. */
  isRepeated({ text, seconds }: KernelText): boolean {
    if (seconds === undefined) return false;
    const key = `${seconds} ${clipped(text)}`;
    if (this.#seen.has(key) || seconds <= this.#forgottenUntil) return true;
    this.#seen.add(key);
    this.#newest = Math.max(this.#newest, seconds);
    const [oldest] = this.#seen;
    if (this.#seen.size > MAX_SEEN && oldest !== undefined) {
      this.#seen.delete(oldest);
      this.#forgottenUntil = Math.max(this.#forgottenUntil, Number.parseFloat(oldest));
    }
    return false;
  }

  /** Whether a line was said before others that were seen already: out of a log, or by a younger system. */
  isOld({ seconds }: KernelText): boolean {
    return seconds !== undefined && seconds < this.#newest - SLACK_SECONDS;
  }

  /** A system starts: its times begin anew. */
  clockStarts(): void {
    this.#forgottenUntil = -1;
    this.#newest = -1;
  }
}
