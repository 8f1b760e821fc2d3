import { describe, expect, test } from "vitest";
import { readYaml } from "#protocol/read-yaml.ts";

const value = (text: string): unknown => {
  const { value: read, problems } = readYaml(text);
  expect(problems).toEqual([]);
  return read;
};

describe("quoted scalars of several lines, as PyYAML reads them", () => {
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

  test("one that is never closed is an error, as is a document's mark in one", () => {
    expect(readYaml(`a: "${"'".repeat(50_001)}`).problems).toHaveLength(1);
    expect(readYaml("a: 'one\n---\ntwo'\n").problems).toHaveLength(1);
  });
});

describe("brackets", () => {
  test("may go on at the left margin", () => {
    const text = "a:\n  b: {\nx: 1,\nz: [1,\n2\n]\n}\n  c: [\n]\nd: e\n";
    expect(value(text)).toEqual({ a: { b: { x: 1, z: [1, 2] }, c: [] }, d: "e" });
  });

  test("that are not closed before a document's mark are an error", () => {
    expect(readYaml("a: [\n---\nb: 1\n").problems).toHaveLength(1);
  });
});

test("every line break of Unicode ends a line, and counts as one", () => {
  const { value: read, locate } = readYaml("a: 1\u2028b: 2\rc: 3\u0085d: 4\r\ne: 5");
  expect(read).toEqual({ a: 1, b: 2, c: 3, d: 4, e: 5 });
  expect(locate(["e"])).toEqual({ line: 5, column: 1 });
});
