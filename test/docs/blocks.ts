import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

export interface Block {
  /** `docs/queue.md:61`. */
  readonly where: string;
  /** The page, from the root of the repository. */
  readonly page: string;
  /** The language of a fence; empty where none is said, and for an indented block. */
  readonly language: string;
  readonly text: string;
}

const root = path.resolve(import.meta.dirname, "../..");

/** All pages of the documentation, from the root of the repository. */
export const pages = (): string[] =>
  readdirSync(path.join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`)
    .sort();

/** The blocks of code of a page: fenced ones, and those that are indented by four below an empty line, outside of a list. */
export function blocksOf(page: string): Block[] {
  const lines = readFileSync(path.join(root, page), "utf8").split("\n");
  const blocks: Block[] = [];
  let at = 0;
  let isInList = false;
  const take = (language: string, first: number, taken: readonly string[]) => {
    const indent = Math.min(...taken.filter((line) => line.trim() !== "").map(indentOf));
    const text = taken.map((line) => line.slice(indent)).join("\n");
    blocks.push({ where: `${page}:${first + 1}`, page, language, text: `${text.trimEnd()}\n` });
  };
  while (at < lines.length) {
    const line = lines[at] ?? "";
    const fence = /^ *```(\S*)/.exec(line);
    if (/^( *[-*]|\d+\.) /.test(line)) isInList = true;
    else if (/^\S/.test(line)) isInList = false;
    if (fence) {
      const end = lines.findIndex((one, n) => n > at && /^ *```$/.test(one));
      if (end < 0) throw new Error(`${page}:${at + 1}: this block has no end`);
      take(fence[1] ?? "", at, lines.slice(at + 1, end));
      at = end + 1;
    } else if (!isInList && /^ {4}\S/.test(line) && (lines[at - 1] ?? "") === "") {
      let end = at;
      while (/^( {4}|$)/.test(lines[end] ?? "x")) end += 1;
      take("", at, lines.slice(at, end));
      at = end;
    } else {
      at += 1;
    }
  }
  return blocks;
}

const indentOf = (line: string): number => line.length - line.trimStart().length;
