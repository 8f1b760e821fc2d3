import * as v from "valibot";
import { expect, test } from "vitest";
import { plainRecord } from "#protocol/plain-record.ts";
import { fc } from "../support/property.ts";

const ODD = ["__proto__", "prototype", "constructor", "toString", "hasOwnProperty", "<<", ""];
const name = fc.oneof(fc.constantFrom(...ODD), fc.string({ unit: "grapheme" }));
/** As JSON comes from outside: `__proto__` is a key as any other. */
const fromOutside = (entries: readonly (readonly [string, unknown])[]): unknown =>
  JSON.parse(JSON.stringify(Object.fromEntries(entries)));

test("each key of an object is kept, whatever it is called, with its value, and nothing is inherited by it", () => {
  const schema = plainRecord(v.string(), v.number());
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.nat())), (entries) => {
      const input = fromOutside(entries);
      const read = v.parse(schema, input);
      expect(Object.entries(read)).toEqual(Object.entries(input as object));
      expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
      expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    }),
  );
  const hostile = JSON.parse('{"__proto__": {"polluted": 1}}') as object;
  const read = v.parse(plainRecord(v.string(), plainRecord(v.string(), v.number())), hostile);
  expect(Object.keys(read)).toEqual(["__proto__"]);
  expect("polluted" in read).toBe(false);
});

test("apart from such keys it takes, refuses and says what valibot's own does", () => {
  const key = v.pipe(v.string(), v.maxLength(3, "expected a short name"));
  const value = v.pipe(
    v.union([v.number(), v.pipe(v.string(), v.transform(Number))], "expected a number"),
    v.maxValue(9, "expected at most 9"),
  );
  const [own, theirs] = [plainRecord(key, value, "no record"), v.record(key, value, "no record")];
  const inner = fc.oneof(fc.nat(20), fc.constantFrom("1", "20"), fc.constant(null), fc.boolean());
  const entries = fc.array(fc.tuple(fc.string({ maxLength: 5 }), inner));
  const input = fc.oneof(entries.map(fromOutside), fc.constantFrom(null, 1, "text", undefined, []));
  fc.assert(
    fc.property(input, (given) => {
      const told = [own, theirs].map((schema) => {
        const { success, output, issues } = v.safeParse(schema, given);
        const places = issues?.map((issue) => [v.getDotPath(issue), issue.message]);
        const early = v.safeParse(schema, given, { abortEarly: true }).issues?.length;
        return { success, places, output, early };
      });
      expect(told[0]).toEqual(told[1]);
    }),
  );
});
