import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { commandProblems } from "./command-lines.ts";

const root = path.resolve(import.meta.dirname, "../..");
const pages = readdirSync(path.join(root, "docs"))
  .filter((name) => name.endsWith(".md"))
  .map((name) => `docs/${name}`);

/** Command lines of a page, in blocks or in the text. */
function* linesOf(page: string): Generator<string> {
  const text = readFileSync(path.join(root, page), "utf8");
  const found = text.matchAll(/(?:^ *|^[^`\n]*; |`)(?:scripts\/)?(pumice [a-z][^`#;|)\n]*)/gm);
  for (const [, line = ""] of found) yield line;
}

test.each([...pages, "README.md"])("%s names commands and options that there are", async (page) => {
  const wrong = await commandProblems([...linesOf(page)].join("\n"));
  expect(wrong).toEqual([]);
});
