import { describe, expect, test } from "vitest";
import { readFlowValue } from "../../control-plane/lava/stock-worker/flow-value.ts";

describe("a value as lava-run writes it", () => {
  test("has its numbers, truths and nothings behind a tag", () => {
    expect(
      readFlowValue(
        '{"endtc": ! "624", "none": ! "null", "yes": ! "true", "x": ! "1.5", "s": "624"}',
      ),
    ).toEqual({ endtc: 624, none: null, yes: true, x: 1.5, s: "624" });
  });

  test("has YAML's escapes in its texts", () => {
    expect(readFlowValue('"\\e[1m \\x41\\u20ac\\U0001F600\\_\\N\\L\\P\\0\\a\\/\\"\\\\ \\t"')).toBe(
      '\x1b[1m A€😀\xa0\x85\u2028\u2029\0\x07/"\\ \t',
    );
  });

  test("may be a list in a mapping, or empty", () => {
    expect(readFlowValue('{"a": ["x", {}, []], "b": {"c": ! "-7"}}')).toEqual({
      a: ["x", {}, []],
      b: { c: -7 },
    });
  });

  test("keeps as text what a number would not keep", () => {
    expect(readFlowValue('[! "12345678901234567890", ! "nan", ! "2026-11-22"]')).toEqual([
      "12345678901234567890",
      "nan",
      "2026-11-22",
    ]);
  });

  test("makes no prototype of a key", () => {
    const value = readFlowValue('{"__proto__": {"x": "y"}}') as object;
    expect(Object.keys(value)).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });

  test.each(["{", '{"a"}', '{"a": }', '"a', '["a" "b"]', "{} {}", '"\\U99999999', ""])(
    "is not %j",
    (text) => expect(() => readFlowValue(text)).toThrow(SyntaxError),
  );

  test("is not nested for ever", () => {
    expect(() => readFlowValue("[".repeat(100_000))).toThrow(SyntaxError);
  });
});
