import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { startCli } from "../support/cli-run.ts";

const root = path.resolve(import.meta.dirname, "../..");
const pages = readdirSync(path.join(root, "docs"))
  .filter((name) => name.endsWith(".md"))
  .map((name) => `docs/${name}`);

async function helpOf(...words: string[]): Promise<string> {
  const run = startCli([...words, "--help"]);
  await run.ended;
  return run.out;
}

/** Command lines of a page, in blocks or in the text. */
function* linesOf(page: string): Generator<string[]> {
  const text = readFileSync(path.join(root, page), "utf8");
  const found = text.matchAll(/(?:^ *|^[^`\n]*; |`)(?:scripts\/)?pumice ([a-z][^`#;|)\n]*)/gm);
  for (const [, line = ""] of found) yield line.trim().split(/\s+/);
}

test.each([...pages, "README.md"])("%s names commands and options that there are", async (page) => {
  const overview = await helpOf();
  const wrong: string[] = [];
  for (const words of linesOf(page)) {
    const count = [3, 2, 1].find((most) => isCommand(overview, words.slice(0, most)));
    if (count === undefined) {
      wrong.push(words.join(" "));
      continue;
    }
    const help = await helpOf(...words.slice(0, count));
    const options = words
      .filter((word) => word.startsWith("--"))
      .map((word) => /^[-a-z]+/.exec(word)?.[0] ?? "");
    wrong.push(
      ...options.filter((one) => !help.includes(one)).map((one) => `${words.join(" ")}: ${one}`),
    );
  }
  expect(wrong).toEqual([]);
});

const isCommand = (overview: string, words: readonly string[]): boolean =>
  words.length > 0 && overview.includes(`\n  ${words.join(" ")} `);
