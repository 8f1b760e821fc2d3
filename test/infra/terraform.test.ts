import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { lab } from "../support/infra/template-parts.ts";

const textOf = (name: string): string =>
  readFileSync(new URL(`../../infra/terraform/${name}`, import.meta.url), "utf8");

/** Keys of a `parameters` map, which are the only names that begin with a capital letter. */
const parametersIn = (text: string): string[] =>
  [...text.matchAll(/^\s+([A-Z]\w+)\s+=/gm)].map(([, name = ""]) => name);

test.each(["main.tf", "example/main.tf"])("terraform/%s sets parameters that there are", (file) => {
  const names = parametersIn(textOf(file));
  expect(names.length).toBeGreaterThan(2);
  const known = Object.keys(lab.template.Parameters);
  expect(names.filter((name) => !known.includes(name))).toEqual([]);
});

test("the module gives everything that has no default", () => {
  const needed = Object.entries(lab.template.Parameters)
    .filter(([, { Default }]) => Default === undefined)
    .map(([name]) => name);
  expect(parametersIn(textOf("main.tf"))).toEqual(expect.arrayContaining(needed));
});
