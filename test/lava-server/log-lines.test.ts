import { describe, expect, test } from "vitest";
import { inPosts, lavaLines } from "../../worker/lava-server/log-lines.ts";

const record = (msg: string): string =>
  JSON.stringify({ dt: "2026-03-01T12:00:00.000001+00:00", lvl: "target", msg });
const lineOf = (msg: string): string => lavaLines(`${record(msg)}\n`)[0]!;

describe("a line as LAVA's server reads it", () => {
  test("has a time without a zone", () => {
    expect(lineOf("x")).toContain('"dt":"2026-03-01T12:00:00.000001","lvl"');
    expect(lineOf('"+00:00"')).toContain("+00:00");
  });

  test("has no character in it that PyYAML refuses", () => {
    expect(lineOf("a\x7fb\x85c\u2028d\ufeffe\uffff")).toContain(
      '"a\\u007fb\\u0085c\\u2028d\\ufeffe\\uffff"',
    );
    expect(lineOf("😀é")).toContain('"😀é"');
  });

  test("has no half of a character, and what only looks like one stays", () => {
    expect(lineOf("a\ud83d")).toContain('"a\\ufffd"');
    expect(lineOf("a\\ud83d")).toContain('"a\\\\ud83d"');
    expect(JSON.parse(lineOf("a\\\\ud83d"))).toMatchObject({ msg: "a\\\\ud83d" });
  });
});

test("what is sent at once has at most 1000 lines, and no more than a server takes", () => {
  const many = inPosts(Array.from({ length: 2500 }, () => "x"));
  expect(many.map(({ length }) => length)).toEqual([1000, 1000, 500]);
  const long = inPosts(Array.from({ length: 5 }, () => "x".repeat(100_000)));
  expect(long.map(({ length }) => length)).toEqual([2, 2, 1]);
});
