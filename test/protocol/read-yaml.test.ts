import { describe, expect, test } from "vitest";
import { readYaml } from "#protocol/read-yaml.ts";
import { pythonTokens } from "../../control-plane/protocol/python-lexer.ts";

const places = (text: string): string[] =>
  readYaml(text).problems.map(({ line, column, message }) => `${line}:${column} ${message}`);

describe("a plain word is what PyYAML takes it for", () => {
  test.each<[string, unknown]>([
    ["on", true],
    ["No", false],
    ["y", "y"],
    ["N", "N"],
    ["yEs", "yEs"],
    ["~", null],
    ["", null],
    ["nUll", "nUll"],
    ["012", 10],
    ["08", "08"],
    ["0o17", "0o17"],
    ["0b11", 3],
    ["-0x1F", -31],
    ["1_000", 1000],
    ["190:20:30", 685_230],
    ["0:30", "0:30"],
    ["1:30.5", 90.5],
    ["1e3", "1e3"],
    ["1.5e3", "1.5e3"],
    ["1.5e+3", 1500],
    [".5", 0.5],
    ["-.5", "-.5"],
    [".", "."],
    ["1.", 1],
    ["+.inf", Infinity],
    ["-.INF", -Infinity],
    [".nan", NaN],
    ["2020-01-01", "2020-01-01"],
    ["!!str 5", "5"],
    ["0x", "0x"],
  ])("%s", (word, expected) => {
    expect(readYaml(`a: ${word}`).value).toEqual({ a: expected });
  });
});

test("merge keys are merged, a mapping's own keys win", () => {
  const text = "x: &x {a: 1, b: 1}\ny:\n  <<: *x\n  b: 2\nz: {<<: [*x, {c: 3}]}\n";
  expect(readYaml(text).value).toMatchObject({ y: { a: 1, b: 2 }, z: { a: 1, b: 1, c: 3 } });
});

test("a mapping that is merged gives way to one that is named before it, and none of it to a quoted `<<`", () => {
  const text = "x: &x {a: 1}\ny: {<<: [*x, {a: 2, b: 2}]}\nz: {'<<': *x}\n";
  expect(readYaml(text).value).toMatchObject({ y: { a: 1, b: 2 }, z: { "<<": { a: 1 } } });
});

test("keys are text, as in JSON", () => {
  expect(readYaml("115200: a\n~: b\non: c\n=: d\n__proto__: e\n").value).toEqual(
    JSON.parse('{"115200": "a", "null": "b", "true": "c", "=": "d", "__proto__": "e"}'),
  );
});

test("of doubled keys the last one counts, with a warning at its place", () => {
  const { value, problems, warnings } = readYaml("a: 1\nb:\n  c: 1\n  c: 2\n");
  expect(value).toEqual({ a: 1, b: { c: 2 } });
  expect(problems).toEqual([]);
  expect(warnings).toMatchObject([{ line: 4, column: 3, message: /"c" stands here twice/ }]);
});

test("a place is that of the key, or of the nearest thing around it that exists", () => {
  const { locate } = readYaml("a:\n  b:\n  - c: 1\n  - 2\n5: x\n");
  expect(locate(["a", "b", 0, "c"])).toEqual({ line: 3, column: 5 });
  expect(locate(["a", "b", 1])).toEqual({ line: 4, column: 5 });
  expect(locate(["a", "b", 0, "missing", "deeper"])).toEqual({ line: 3, column: 5 });
  expect(locate(["missing"])).toEqual({ line: 1, column: 1 });
  expect(locate(["5"])).toEqual({ line: 5, column: 1 });
});

test.each([
  ["two documents", "a: 1\n---\nb: 2\n", /^2:1 there is a second document/],
  ["a tab in the indentation", "a:\n\tb: 1\n", /^2:1 a tab stands in the indentation/],
  ["an open bracket", "a: [1, 2\n- 3\n", /^3:1 this is not YAML: expected a ] that closes/],
  [
    "a brace that is closed too late",
    "a: {b: 1\nc: 2\n}\n",
    /^1:8 .* bracket before it not closed/,
  ],
  ["a tag that nobody knows", "a: !python/object x\n", /^1:4 this is not YAML: Unresolved tag/],
  ["an alias that names nothing", "a: *b\n", /^1:4 the alias \*b names nothing/],
  ["an alias of itself", "a: &a\n  b: [*a]\n", /^2:7 the alias \*a stands inside/],
  ["a list as a key", "? [1, 2]\n: 3\n", /^1:3 a mapping or a list can't be a key/],
  ["a mapping as a key", "{a: b}: 3\n", /^1:1 a mapping or a list can't be a key/],
  ["an anchor that is there twice", "a: &x 1\nb: &x 2\n", /^2:7 the anchor &x stands here/],
  ["a merge of what is no mapping", "<<: 5\n", /^1:1 `<<` merges a mapping/],
  ["an equals sign alone", "a: =\n", /^1:4 a lone = is no value: put it in quotes/],
  ["a colon without a key", "a:\n  : b\n", /^2:3 a key is missing before the colon/],
  ["a control character", "a: b\nc: \u0007\n", /^2:4 a control character/],
  ["too much nesting", "[".repeat(101) + "]".repeat(101), /^1:101 this is nested too deeply/],
  ["a hundred thousand levels", "[".repeat(100_000), /^1:\d+ this is nested too deeply/],
  ["more than a megabyte", "a".repeat(1024 * 1024 + 1), /^1:1 the text is too long/],
])("%s: refused, and the place is named", (_, text, expected) => {
  const [problem] = places(text);
  expect(problem).toMatch(expected);
  expect(problem?.length).toBeLessThan(300);
});

test("a hundred levels are read", () => {
  expect(places("[".repeat(100) + "]".repeat(100))).toEqual([]);
});

test("aliases that stand for billions of values are refused before they are written out", () => {
  const rows = Array.from(
    { length: 12 },
    (_, n) => `k${n + 1}: &k${n + 1} [${`*k${n},`.repeat(9)}]`,
  );
  expect(places(`k0: &k0 [x]\n${rows.join("\n")}\n`)[0]).toMatch(/aliases .* stand for too much/);
});

test("aliases of a long text that stand for gigabytes are refused, too; those of a script that a few share are not", () => {
  const text = (chars: number, times: number) =>
    `a: &a ${"x".repeat(chars)}\nb: [${"*a ,".repeat(times)}]`;
  expect(places(text(500_000, 20_000))[0]).toMatch(/aliases .* stand for too much/);
  const key = `? &a ${"x".repeat(500_000)}\n: [${"*a ,".repeat(20_000)}]`;
  expect(places(key)[0]).toMatch(/aliases .* stand for too much/);
  expect(places(text(20_000, 100))).toEqual([]);
});

test("merge keys that copy a large mapping again and again are refused", () => {
  const keys = Array.from({ length: 5000 }, (_, n) => `k${n}: 1`).join(", ");
  const text = `a: &a {${keys}}\nb:\n${"- {<<: *a}\n".repeat(500)}`;
  expect(places(text)[0]).toMatch(/aliases .* stand for too much/);
});

test("a text that opens bracket upon bracket is given up after few of them", () => {
  let read = 0;
  const readAll = () => {
    for (const _ of pythonTokens("[".repeat(1_000_000))) read++;
  };
  expect(readAll).toThrow(RangeError);
  expect(read).toBeLessThan(2000);
});
