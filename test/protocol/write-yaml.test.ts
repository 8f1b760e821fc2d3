import { expect, test } from "vitest";
import { readYaml } from "#protocol/read-yaml.ts";
import { writeYaml } from "#protocol/write-yaml.ts";
import { fc } from "../support/property.ts";

const word = fc.oneof(
  fc.constantFrom("yes", "no", "y", "012", "1:30", "1_000", "2020-01-01", "=", "<<", "~", "null"),
  fc.constantFrom(" x", "x: y", "#c", "- a", "a\nb\n  c\n", "\tx", "a\u0085b", "\u2028", ".5", ""),
  fc.string({ maxLength: 20 }).filter((text) => !/[\0-\x08\x0b-\x1f]/.test(text)),
);
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    word,
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("any"), { maxLength: 4 }),
    fc.dictionary(
      word.filter((key) => key !== "__proto__"),
      tie("any"),
      { maxKeys: 4 },
    ),
  ),
})).any;

test("whatever is written is read as it was", () => {
  fc.assert(
    fc.property(value, (written) => {
      const { value: read, problems } = readYaml(writeYaml(written));
      expect(problems).toEqual([]);
      expect(read).toEqual(written);
    }),
    { numRuns: 500 },
  );
});

test("it is YAML for people where that will do", () => {
  expect(writeYaml({ name: "a", list: [1, "two"], steps: "a\nb\n" })).toBe(
    "name: a\nlist:\n  - 1\n  - two\nsteps: |\n  a\n  b\n",
  );
});
