import { expect, test } from "vitest";
import { exampleText, KINDS, SHOWN } from "./block-rules.ts";
import { blocksOf, pages } from "./blocks.ts";

const blocks = pages().flatMap((page) => blocksOf(page));

test("the pages have examples of each kind, and none that no rule covers", () => {
  expect(blocks.length).toBeGreaterThan(250);
  const unknown = blocks.filter((block) => !KINDS.some(({ takes }) => takes(block)));
  expect(unknown.map(({ where, text }) => `${where}: ${text.split("\n")[0]}`)).toEqual([]);
  const unused = KINDS.filter(
    (kind) => !blocks.some((block) => KINDS.find(({ takes }) => takes(block)) === kind),
  );
  expect(unused.map(({ name }) => name)).toEqual([]);
});

test.each(pages())("%s: its examples are right", async (page) => {
  const wrong: string[] = [];
  for (const block of blocksOf(page)) {
    const kind = KINDS.find(({ takes }) => takes(block));
    const problems = (await kind?.problems(block)) ?? [];
    wrong.push(...problems.map((problem) => `${block.where} (${kind?.name}): ${problem}`));
  }
  expect(wrong).toEqual([]);
});

test.each(SHOWN)("docs/examples/%s stands in a page, word by word", (name) => {
  expect(blocks.some(({ text }) => text === exampleText(name))).toBe(true);
});
