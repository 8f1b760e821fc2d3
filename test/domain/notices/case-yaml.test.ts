import { expect, test } from "vitest";
import { readYaml } from "#protocol/read-yaml.ts";
import { plainCaseYaml } from "../../../control-plane/domain/notices/case-yaml.ts";
import { caseYaml } from "../../../control-plane/domain/notices/cases-yaml.ts";
import { fc } from "../../support/property.ts";

const aCase = {
  ...{ name: "disk-speed", job: "4711", suite: "0_storage", result: "pass" },
  ...{ measurement: "93.2500000000", unit: "MB/s", level: "1.4.1", id: "99021" },
  ...{ url: "/results/4711/0_storage/disk-speed", logged: "2026-08-03 09:12:44.120331+00:00" },
  ...{ log_start_line: "812", log_end_line: "None" },
  metadata: { case: "disk-speed", definition: "0_storage", measurement: 93.25, units: "MB/s" },
};

test("a usual case is written as the library would", () => {
  const { level: _, ...usual } = aCase;
  expect(plainCaseYaml(usual)).toBe(caseYaml(usual));
  expect(plainCaseYaml({ ...usual, level: "" })).toBe(caseYaml({ ...usual, level: "" }));
});

const word = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.stringMatching(/^[\w /.+%:#,'{}-]{0,12}$/),
  fc.stringMatching(/^\d{1,3}[_.:eExXbo]?[\w.+-]{0,4}$/),
  fc.constantFrom(
    "yes",
    "No",
    "null",
    "~",
    "0_e5",
    "E0",
    "e-5",
    "0x1",
    "1_000",
    "1:30",
    ".inf",
    "=",
    "<<",
  ),
);

test("whatever a case says, it is written as the library would, or left to it", () => {
  fc.assert(
    fc.property(
      ...[word, word, word],
      fc.dictionary(word, fc.oneof(word, fc.double(), fc.integer(), fc.boolean()), { minKeys: 1 }),
      (name, suite, unit, more) => {
        const one = { ...aCase, name, suite, unit, metadata: { ...more } };
        const plain = plainCaseYaml(one);
        if (plain !== undefined) expect(plain).toBe(caseYaml(one));
      },
    ),
    { numRuns: 2000 },
  );
});

test("whatever a case is called and says, its YAML is read as that again", () => {
  fc.assert(
    fc.property(word, fc.dictionary(word, word, { minKeys: 1 }), (name, metadata) => {
      const one = { ...aCase, name, metadata: { ...metadata } };
      const { value, problems } = readYaml(plainCaseYaml(one) ?? caseYaml(one));
      expect([value, problems]).toEqual([[one], []]);
    }),
    { numRuns: 1000, examples: [["<<", { "<<": "x", "=": "=" }]] },
  );
});

test("each word by itself", () => {
  fc.assert(
    fc.property(word, (name) => {
      const one = { name, metadata: { name } };
      const plain = plainCaseYaml(one);
      if (plain !== undefined) expect(plain).toBe(caseYaml(one));
    }),
    { numRuns: 5000 },
  );
});
