import * as v from "valibot";
import { expect, test } from "vitest";
import { issueWords } from "#protocol/issue-words.ts";

const schema = v.strictObject({
  name: v.pipe(v.string(), v.regex(/^[a-z]+$/), v.maxLength(3)),
  own: v.optional(v.string("expected a name")),
  limit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
  flag: v.optional(v.boolean()),
  kind: v.optional(v.picklist(["a", "b"])),
  list: v.optional(v.array(v.string())),
  map: v.optional(v.object({})),
});

test.each([
  [{}, "it is missing"],
  [{ name: 1 }, "expected a text, found 1"],
  [{ name: ["a"] }, "expected a text, found a list"],
  [{ name: "A b" }, 'expected the form /^[a-z]+$/, found "A b"'],
  [{ name: "abcd" }, "expected at most 3 characters or entries, found 4"],
  [{ name: "a", own: 1 }, "expected a name"],
  [{ name: "a", limit: 1.5 }, "expected a whole number, found 1.5"],
  [{ name: "a", limit: -1 }, "expected at least 0, found -1"],
  [{ name: "a", flag: "yes" }, 'expected true or false, found "yes"'],
  [{ name: "a", kind: "c" }, 'expected ("a" | "b"), found "c"'],
  [{ name: "a", list: {} }, "expected a list, found an object"],
  [{ name: "a", map: null }, "expected an object, found nothing"],
  [{ name: "a", other: 1 }, "this key is not known"],
])("%j: in words of ours", (value, words) => {
  const { issues = [] } = v.safeParse(schema, value);
  expect(issues.map(issueWords)).toEqual([words]);
});

test("what was found is told in short", () => {
  const { issues = [] } = v.safeParse(v.number(), "x".repeat(1000));
  expect(issueWords(issues[0]!).length).toBeLessThan(100);
});
