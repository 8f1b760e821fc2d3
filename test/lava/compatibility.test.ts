import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { readEvidence, RECORDS, type CallRecord } from "../compat/call-records.ts";
import { COMPATIBILITY } from "../compat/compatibility.ts";
import { SURFACES } from "../compat/row.ts";

const root = path.resolve(import.meta.dirname, "../..");
const evidence = readEvidence();

test("each thing was called by a test that passed, and ended as the page says", () => {
  const untold = COMPATIBILITY.filter((row) => evidence(row) === undefined);
  expect(untold.map(({ surface, name, state }) => `${surface}: ${name} ${state}`)).toEqual([]);
});

test("the files that called them are there, and write their calls again when they run", () => {
  const records = readdirSync(RECORDS).map(
    (name) =>
      [name, JSON.parse(readFileSync(path.join(RECORDS, name), "utf8")) as CallRecord] as const,
  );
  for (const [name, { file }] of records) {
    expect(name).toBe(`${path.basename(file, ".test.ts")}.json`);
    expect(file).toMatch(/^test\/(lava|compat)\//);
    expect(existsSync(path.join(root, file)), file).toBe(true);
  }
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
    const working = rows.filter(({ state }) => state === "works").length;
    return [
      `## ${surface}`,
      "",
      `${working} of ${rows.length} work.`,
      "",
      "| What | | About | Called by |",
      "| --- | --- | --- | --- |",
      ...rows.map((row) => {
        const { file = "", test: by = "" } = evidence(row) ?? {};
        const isAbsent = row.state === "absent";
        const state = isAbsent ? `absent: ${row.refused}` : "works";
        return `| \`${cell(row.name)}\` | ${state} | ${cell(row.about)} | ${path.basename(file)}: ${cell(by)} |`;
      }),
      "",
    ];
  });
  return [
    "# What of LAVA's surfaces there is",
    "",
    "Made from what tests really did: while they run, each call that a lab answers is written down (`test/compat/recorded`), with the test, and only when that test passes.",
    "What works was answered well in it; what is absent is so on purpose, was refused in it as it says, and has something in its place. A run in which a file's calls are",
    "others than those that are written down fails. `PUMICE_WRITE_DOCS=1` with the tests of `test/lava` and `test/compat`, and then with `test/lava/compatibility.test.ts`,",
    "writes it anew. How clients are set up: [lava-clients](lava-clients.md), workers: [stock-workers](stock-workers.md).",
    "",
    ...sections,
  ].join("\n");
}

const cell = (text: string): string => text.replaceAll("|", "\\|");
