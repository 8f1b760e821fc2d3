import { expect, test } from "vitest";
import { SeenText } from "../../worker/console/seen-text.ts";
import { fc } from "../support/property.ts";

interface Seen {
  readonly start: number;
  readonly text: string;
}

/** The same promise in the simplest way: all that is not consumed, each pattern from its beginning. */
class WholeText {
  #text = "";
  #start = 0;

  add(text: string): void {
    this.#text += text;
  }

  find(pattern: RegExp, inLine: boolean): Seen | "too long" | undefined {
    const rest = this.#text.slice(this.#start);
    pattern.lastIndex = 0;
    const match = pattern.exec(rest);
    if (!match) return undefined;
    // One as long as this may be missed, as in LAVA.
    if (match[0].length > 4_000) return "too long";
    const last = match.index + Math.max(match[0].length - 1, 0);
    if (inLine && !rest.includes("\n", last)) return undefined;
    return { start: this.#start + match.index, text: match[0] };
  }

  before(offset: number): string {
    return this.#text.slice(this.#start, offset);
  }

  lineBefore(offset: number): string {
    const before = this.#text.slice(0, offset);
    return before.slice(before.lastIndexOf("\n") + 1);
  }

  consume(offset: number): void {
    this.#start = offset;
  }
}

/** Of all kinds that jobs have, and of those that are hard: what may grow, what looks around itself, what is anywhere. */
const PATTERNS = [
  /BUG:/g,
  /(?:kernel BUG at|BUG:)/g,
  /Oops(?: -|:)/g,
  /<S ([^\s<>]+) ((?:[^<>]|<(?!S_))+)>(?!')/g,
  // Not greedy: long text is searched in windows, and as much as possible of a window may be less.
  /root@(.*?):[/~]# /gs,
  /# /g,
  /^# /g,
  /^(\w+): (\w+)( \S+)?$/gm,
  /\bro/g,
  /(?<![\s\S])B/g,
  /(?<!o)o/g,
  /o+t?/g,
  /-+\[ end \w* \]-+[^\n]*\r/g,
  /[ab#]{2,3}:/g,
  /\r/g,
  /bug/gi,
  /[^\r\n]+/g,
  /x(?:y|#+)?(B|o)*\x3a/g,
];

/** What patterns are made of, so that they nearly match and sometimes do. */
const WORDS = [
  ..."BUG: |kernel BUG at|Oops|Oops:|Oops -|<S a b>|<S |>|'|root@|:/# |:~# |# |#|: |a: b|ro|oo|o|t|--[ end x ]--|--[ end |ab:|x|y#:|bug|B|ü|\ufffd|\u0000".split(
    "|",
  ),
  "\n",
  "\r\n",
  "\r",
  " ",
];

const chosen = fc.array(
  fc.record({ pattern: fc.constantFrom(...PATTERNS), inLine: fc.boolean() }),
  { minLength: 1, maxLength: 6 },
);
const steps = fc.array(
  fc.record({
    words: fc.array(fc.constantFrom(...WORDS), { maxLength: 12 }),
    /** Others are asked for at times. */
    armed: fc.constantFrom("all", "all", "first", "none"),
    keepMatch: fc.constantFrom(false, false, false, true),
    /** Lines of which nothing is wanted, more than what is kept at hand. */
    filler: fc.constantFrom(0, 0, 0, 0, 0, 800, 8_000),
  }),
  { maxLength: 30 },
);

test("patterns are found as in the whole text, each from its beginning, whatever comes in whatever pieces", () => {
  fc.assert(
    fc.property(chosen, steps, (patterns, pieces) => {
      const seen = new SeenText();
      const whole = new WholeText();
      for (const { words, armed, keepMatch, filler } of pieces) {
        const text = `${"<z>\n".repeat(filler)}${words.join("")}`;
        seen.add(text);
        whole.add(text);
        if (armed === "none") continue;
        const some = armed === "all" ? patterns : patterns.slice(0, 1);
        for (let matches = 0; matches < 50; matches++) {
          const first = compareFirst(seen, whole, some);
          if (!first) break;
          const end = first.start + (keepMatch ? 0 : first.text.length);
          seen.consume(end);
          whole.consume(end);
          if (end === first.start) break;
        }
      }
    }),
    { seed: 6, numRuns: 1_500 },
  );
});

/** The match that begins first, in which both must agree, as in what stands before it. */
function compareFirst(
  seen: SeenText,
  whole: WholeText,
  patterns: readonly { pattern: RegExp; inLine: boolean }[],
): Seen | undefined {
  let first: Seen | undefined;
  for (const { pattern, inLine } of patterns) {
    const found = seen.find(pattern, { inLine });
    const wanted = whole.find(pattern, inLine);
    if (wanted === "too long") return undefined;
    if (found?.start !== wanted?.start || found?.match[0] !== wanted?.text) {
      throw new Error(
        `${pattern}: ${found?.start} ${found?.match[0]}, not ${wanted?.start} ${wanted?.text}`,
      );
    }
    if (wanted && (!first || wanted.start < first.start)) first = wanted;
  }
  if (!first) return undefined;
  expect(seen.before(first.start)).toBe(whole.before(first.start));
  expect(seen.lineBefore(first.start).slice(-4_096)).toBe(
    whole.lineBefore(first.start).slice(-4_096),
  );
  return first;
}
