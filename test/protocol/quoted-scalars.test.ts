import { describe, expect, test } from "vitest";
import fc from "fast-check";
import { indentQuotedScalars } from "#protocol/quoted-scalars.ts";
import { readYaml } from "#protocol/read-yaml.ts";

describe("quoted scalars of several lines, as PyYAML reads them", () => {
  const value = (text: string): unknown => {
    const { value: read, problems } = readYaml(text);
    expect(problems).toEqual([]);
    return read;
  };

  test("one that goes on at the left margin folds to a space", () => {
    expect(value("a:\n  b: '\n'\n  c: 1\n")).toEqual({ a: { b: " ", c: 1 } });
    expect(value('a:\n  b: "one\ntwo"\n  c: 1\n')).toEqual({ a: { b: "one two", c: 1 } });
  });

  test("blank lines in it are line breaks, and an escaped line end joins", () => {
    expect(value("a:\n  b: 'one\n\ntwo'\n")).toEqual({ a: { b: "one\ntwo" } });
    expect(value('a:\n  b: "one\\\ntwo"\n')).toEqual({ a: { b: "onetwo" } });
  });

  test("quotes within plain text, comments and block scalars are left alone", () => {
    const text = "a: it's\n# don't\nb: |\n  x: '\n  y\nc: '\n'\nd: rock 'n roll\n";
    expect(value(text)).toEqual({ a: "it's", b: "x: '\ny\n", c: " ", d: "rock 'n roll" });
  });

  test("what is wrong after one is told at its place", () => {
    const { problems } = readYaml("a:\n  b: '\n'\n  c: [1\n");
    expect(problems[0]?.line).toBeGreaterThanOrEqual(4);
    const { locate } = readYaml("a:\n  b: '\n'\n  c: 1\n");
    expect(locate(["a", "c"])).toEqual({ line: 4, column: 3 });
  });

  test("one that is never closed is an error and costs no more than its length", () => {
    expect(readYaml(`a: "${"'".repeat(50_001)}`).problems).toHaveLength(1);
    expect(indentQuotedScalars('"'.repeat(100_001)).text).toHaveLength(100_001);
  });

  test("any text is read or refused, and the places of the original are kept", () => {
    const pieces = fc.constantFrom(
      "'",
      '"',
      "\n",
      " ",
      "a",
      ": ",
      "- ",
      "#",
      "|",
      "\\",
      "[",
      "]",
      "''",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 60 }), (parts) => {
        const text = parts.join("");
        const { text: indented, original } = indentQuotedScalars(text);
        expect(indented.replaceAll(" ", "")).toBe(text.replaceAll(" ", ""));
        expect(original(indented.length)).toBe(text.length);
        readYaml(text);
      }),
      { numRuns: 500 },
    );
  });
});
