import { expect, test } from "vitest";
import { lineDiff } from "#protocol/line-diff.ts";
import { fc } from "../support/property.ts";

const text = (...lines: string[]) => lines.map((line) => `${line}\n`).join("");

test("a change is shown with two lines around it, changes far apart by themselves", () => {
  const from = text("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12");
  const to = text("1", "2", "3", "4", "five", "6", "7", "8", "9", "10", "11", "12", "13");
  expect(lineDiff(from, to)).toEqual([
    "@@ -3 +3 @@",
    " 3",
    " 4",
    "-5",
    "+five",
    " 6",
    " 7",
    "@@ -11 +11 @@",
    " 11",
    " 12",
    "+13",
  ]);
});

test("the same text gives nothing, an empty one all of the other", () => {
  expect(lineDiff(text("a"), text("a"))).toEqual([]);
  expect(lineDiff("", text("a", "b"))).toEqual(["@@ -1 +1 @@", "+a", "+b"]);
});

test("line ends that differ are seen", () => {
  expect(lineDiff("a\r\nb\n", "a\nb")).toEqual(["@@ -1 +1 @@", "-a␍", "-b", "+a", "+b␄"]);
});

test("applied to the old text it gives the new one, and no line is shown twice", () => {
  const lines = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 12 });
  fc.assert(
    fc.property(lines, lines, (from, to) => {
      const steps = lineDiff(text(...from), text(...to));
      const rest = [...from];
      const made: string[] = [];
      let at = 0;
      for (const step of steps) {
        const start = /^@@ -(\d+)/.exec(step)?.[1];
        if (start !== undefined) {
          made.push(...rest.slice(at, Number(start) - 1));
          at = Number(start) - 1;
        } else if (step.startsWith("+")) made.push(step.slice(1));
        else {
          expect(rest[at]).toBe(step.slice(1));
          if (step.startsWith(" ")) made.push(step.slice(1));
          at += 1;
        }
      }
      expect([...made, ...rest.slice(at)]).toEqual(to);
    }),
  );
});

test("texts that are too long to compare are told as replaced", () => {
  const many = (word: string) => text(...Array.from({ length: 2000 }, (_, n) => `${word}${n}`));
  expect(lineDiff(many("a"), many("b"))).toHaveLength(4001);
});
