import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";

const root = path.resolve(import.meta.dirname, "../..");
/** What of LAVA's rules (SCHEDULER.md; `M`: MULTINODE.md) the table claims to have. */
const SECTIONS = [
  "1.1",
  "1.2",
  "1.3",
  "2",
  "2.1",
  "2.2",
  "2.3",
  "2.4",
  "M 1",
  "M 2",
  "M 3",
  "M 4",
  "M 5",
];

const page = readFileSync(path.join(root, "docs/scheduling.md"), "utf8");
const rows = page
  .slice(page.indexOf("| Rule |"))
  .split("\n")
  .filter((line) => line.startsWith("| ") && !/^\| (Rule|---)/.test(line))
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .map(([, rule = "", from = "", , , tests = ""]) => ({ rule, from, tests }));

/** Whether a test, or a group of them, of a file has a title that begins so. */
function isThere(file: string, beginning: string): boolean {
  const at = path.join(root, "test/domain", `${file}.test.ts`);
  const words = beginning.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  const title = new RegExp(String.raw`(?:\btest|\bdescribe|\))[^\n"'\x60(]*\(\s*["'\x60]${words}`);
  return existsSync(at) && title.test(readFileSync(at, "utf8"));
}

test("each rule of the page on scheduling has a test that is named for it, and that is there", () => {
  expect(rows.length).toBeGreaterThan(40);
  for (const { rule, tests } of rows) {
    const named = tests.split("; ").map((one) => one.split(": "));
    const missing = named.filter(
      ([file = "", ...title]) => title.length === 0 || !isThere(file, title.join(": ")),
    );
    expect([rule, missing]).toEqual([rule, []]);
  }
});

test("each section of LAVA's rules has a rule on the page", () => {
  const claimed = new Set(rows.flatMap(({ from }) => from.split(", ")));
  expect(SECTIONS.filter((section) => !claimed.has(section))).toEqual([]);
});
