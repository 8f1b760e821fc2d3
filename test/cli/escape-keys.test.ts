import { describe, expect, test } from "vitest";
import { escapeKeys } from "../../control-plane/cli/escape-keys.ts";
import { fc } from "../support/property.ts";

const read = (...pieces: string[]) => {
  const keys = escapeKeys();
  const found = pieces.map((piece) => keys(Buffer.from(piece)));
  return [
    found.map(({ typed }) => typed.toString()).join(""),
    found.flatMap(({ escapes }) => escapes),
  ];
};

describe("keys of a console's window", () => {
  test("~. at the begin of a line leaves, and what comes behind it is not typed", () => {
    expect(read("ls\r~.rm")).toEqual(["ls\r", ["leave"]]);
    expect(read("~.")).toEqual(["", ["leave"]]);
  });

  test("~c lets the job go on and ~? asks for help; the line is still at its begin", () => {
    expect(read("~c~?~.")).toEqual(["", ["continue", "help", "leave"]]);
  });

  test("~~ is one ~, and a ~ elsewhere or before another key is typed as it is", () => {
    expect(read("~~.")).toEqual(["~.", []]);
    expect(read("cd ~.\n~/x")).toEqual(["cd ~.\n~/x", []]);
  });

  test("it does not matter how the keys arrive", () => {
    const texts = fc.string({ unit: fc.constantFrom("~", ".", "c", "?", "\r", "\n", "a") });
    fc.assert(
      fc.property(texts, (text) => {
        expect(read(...Array.from(text))).toEqual(read(text));
      }),
    );
  });
});
