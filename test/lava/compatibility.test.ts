import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { COMPATIBILITY } from "../compat/compatibility.ts";
import { SURFACES } from "../compat/row.ts";

const root = path.resolve(import.meta.dirname, "../..");

test("each thing is called by the test that stands beside it", () => {
  const texts = new Map<string, string>();
  const textOf = (file: string): string => {
    const whole = path.join(root, file);
    if (!texts.has(file)) texts.set(file, existsSync(whole) ? readFileSync(whole, "utf8") : "");
    return texts.get(file) ?? "";
  };
  const untested = COMPATIBILITY.filter(
    ({ name, called = name, test: file }) => !textOf(file).includes(called),
  );
  expect(untested.map(({ name, test: file }) => `${name}: not in ${file}`)).toEqual([]);
});

test("nothing stands there twice", () => {
  const names = COMPATIBILITY.map(({ surface, name }) => `${surface} ${name}`);
  expect(names.filter((name, n) => names.indexOf(name) !== n)).toEqual([]);
});

test("docs/compatibility.md is made of it", () => {
  const file = path.join(root, "docs/compatibility.md");
  if (process.env["PUMICE_WRITE_DOCS"]) writeFileSync(file, asPage());
  expect(existsSync(file) && readFileSync(file, "utf8")).toBe(asPage());
});

function asPage(): string {
  const sections = SURFACES.flatMap((surface) => {
    const rows = COMPATIBILITY.filter((row) => row.surface === surface);
    if (rows.length === 0) return [];
    const working = rows.filter(({ state }) => state === "works").length;
    return [
      `## ${surface}`,
      "",
      `${working} of ${rows.length} work.`,
      "",
      "| What | | About | Test |",
      "| --- | --- | --- | --- |",
      ...rows.map(
        ({ name, state, about, test: file }) =>
          `| \`${cell(name)}\` | ${state === "works" ? "works" : "absent"} | ${cell(about)} | ${path.basename(file)} |`,
      ),
      "",
    ];
  });
  return [
    "# What of LAVA's surfaces there is",
    "",
    "Made from the tests: each thing that works is called by the test beside it; what is absent is so on purpose, and says what there is in its place.",
    "`PUMICE_WRITE_DOCS=1` with `test/lava/compatibility.test.ts` writes this page. How clients are set up: [lava-clients](lava-clients.md), workers:",
    "[stock-workers](stock-workers.md).",
    "",
    ...sections,
  ].join("\n");
}

const cell = (text: string): string => text.replaceAll("|", "\\|");
