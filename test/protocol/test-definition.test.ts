import { expect, test } from "vitest";
import { readTestDefinition } from "#protocol/test-definition.ts";

const smoke = `metadata:
  format: Lava-Test Test Definition 1.0
  name: smoke
run:
  steps:
  - lava-test-case a --shell true
  - 5
  -
`;

test("a test definition is read, its steps as text", () => {
  const { definition, problems } = readTestDefinition(smoke);
  expect(problems).toEqual([]);
  expect(definition?.run?.steps).toEqual(["lava-test-case a --shell true", "5", ""]);
});

test("one that stands inline in a job is read from its value", () => {
  const metadata = { format: "Lava-Test Test Definition 1.0", name: "smoke" };
  expect(readTestDefinition({ metadata }).problems).toEqual([]);
});

test("keys that LAVA doesn't know are allowed", () => {
  expect(readTestDefinition(`${smoke}nonsense: 1\n`).problems).toEqual([]);
});

test("a missing name and steps that are no list are refused, with their places", () => {
  const { definition, problems } = readTestDefinition(
    smoke.replace("  name: smoke\n", "").replace(/steps:[^]*/, "steps: {a: b}\n"),
  );
  expect(definition).toBeUndefined();
  expect(problems).toMatchObject([
    { path: "metadata.name", line: 1, message: 'the key "name" is missing' },
    { path: "run.steps", line: 4, column: 3, message: "expected a list, found a mapping" },
  ]);
});
