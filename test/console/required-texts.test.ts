import { expect, test } from "vitest";
import { requiredTexts } from "../../worker/console/required-texts.ts";
import { hasAll } from "../../worker/console/sought.ts";
import { fc } from "../support/property.ts";

test.each([
  [/BUG: KASAN:/g, [["BUG: KASAN:"]]],
  [/(?:kernel BUG at|BUG:)/g, [["kernel BUG at", "BUG:"]]],
  [/Oops(?: -|:)/g, [["Oops"], [" -", ":"]]],
  [/root@(.*):[/~]# /gs, [["root@"], [":/# ", ":~# "]]],
  [/U-Boot SPL 20[0-9][0-9]/g, [["U-Boot SPL 20"]]],
  [/ab+c{0,2}d(?:e)?f{2}/g, [["ab"], ["d"], ["f"]]],
  [/\*\*\x18B0[01]/g, [["**\u0018B00", "**\u0018B01"]]],
  [/^\(initramfs\)$/gm, [["(initramfs)"]]],
  [/a(?=b)c(?!d)e(?<=f)g(?<!h)i/g, [["a"], ["c"], ["e"], ["g"], ["i"]]],
  [/=+\r/g, [["="], ["\r"]]],
  [/a|b*/g, []],
  [/login:/gi, []],
  [/\cJx/g, []],
  [/(?:one|two|three|four|five|six|seven|eight|nine)!/g, [["!"]]],
  [new RegExp(`${"(".repeat(3_000)}a${")".repeat(3_000)}`, "g"), []],
])("what stands in each match of %s", (pattern, required) => {
  expect(requiredTexts(pattern)).toEqual(required);
});

/** Regular expressions of every kind of element, few characters, so that they often match. */
const patternSource = fc.letrec<{ pattern: string; element: string }>((tie) => ({
  pattern: fc
    .array(fc.array(tie("element"), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 3 })
    .map((all) => all.map((sequence) => sequence.join("")).join("|")),
  element: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    fc.constantFrom(
      ..."a b c . ^ $ \\. \\d \\w \\s \\b \\n \\x61 \\u0062 [ab] [^a] [a-c] []] ] { {, \\1 \\/ [\\]a] [[a] \\0 \\cA [] [^]".split(
        " ",
      ),
    ),
    fc
      .tuple(
        tie("element"),
        fc.constantFrom("?", "*", "+", "{0}", "{2}", "{0,1}", "{1,}", "+?", "*?", "{2}?"),
      )
      .map(([element, times]) => `(?:${element})${times}`),
    fc
      .tuple(fc.constantFrom("(", "(?:", "(?=", "(?!", "(?<=", "(?<!"), tie("pattern"))
      .map(([open, pattern]) => `${open}${pattern})`),
    fc
      .tuple(fc.constantFrom("a", "b", "[ab]"), fc.constantFrom("?", "*", "+", "{2}"))
      .map((pair) => pair.join("")),
  ),
})).pattern;

const CHARACTERS = "a a b b c . ] { , } / 1 \n \u0001".split(" ");

test("whatever a pattern matches has what it requires", () => {
  let matches = 0;
  fc.assert(
    fc.property(
      patternSource,
      fc.array(fc.constantFrom(...CHARACTERS), { maxLength: 30 }),
      (source, text) => {
        const pattern = compiled(source);
        if (!pattern) return;
        const match = pattern.exec(text.join(""));
        if (!match) return;
        matches++;
        expect(hasAll(requiredTexts(pattern), match[0], 0)).toBe(true);
      },
    ),
    { seed: 6, numRuns: 5_000 },
  );
  expect(matches).toBeGreaterThan(1_000);
});

function compiled(source: string): RegExp | undefined {
  try {
    return new RegExp(source, "g");
  } catch {
    return undefined;
  }
}
