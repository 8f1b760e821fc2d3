import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { exampleText, KINDS, kindOf, SHOWN } from "./block-rules.ts";
import { blocksOf, pages } from "./blocks.ts";

const all = [...pages(), "README.md"];
const blocks = all.flatMap((page) => blocksOf(page));

test("the pages have examples of each kind, and none that no rule covers", () => {
  expect(blocks.length).toBeGreaterThan(250);
  const kinds = blocks.map(kindOf);
  const unknown = blocks.filter((_, n) => kinds[n] === undefined);
  expect(unknown.map(({ where, text }) => `${where}: ${text.split("\n")[0]}`)).toEqual([]);
  const unused = KINDS.filter((kind) => !kinds.includes(kind));
  expect(unused.map(({ name }) => name)).toEqual([]);
});

test.each(all)("%s: its examples are right", async (page) => {
  const wrong: string[] = [];
  for (const block of blocksOf(page)) {
    const kind = kindOf(block);
    const problems = (await kind?.problems(block)) ?? [];
    wrong.push(...problems.map((problem) => `${block.where} (${kind?.name}): ${problem}`));
  }
  expect(wrong).toEqual([]);
});

test.each(SHOWN)("docs/examples/%s stands in a page, word by word", (name) => {
  expect(blocks.some(({ text }) => text === exampleText(name))).toBe(true);
});

test("the script of the page on tests is tried as the page says, and says what it found", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "pumice-docs-"));
  try {
    writeFileSync(path.join(folder, "network.sh"), exampleText("tests/network.sh"));
    const tried = blocks.find(({ text }) => text.includes("sh network.sh lo"))?.text ?? "exit 1";
    const { status, stdout } = spawnSync("sh", ["-e"], {
      input: tried,
      cwd: folder,
      encoding: "utf8",
    });
    expect(status).toBe(0);
    expect(stdout).toContain("lava-test-case interface-is-there --shell test -d /sys/class/net/lo");
    expect(stdout).toMatch(/lava-test-case time-to-network --result pass --measurement [\d.]+/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
