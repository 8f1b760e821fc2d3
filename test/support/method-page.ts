import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

const folder = path.resolve(import.meta.dirname, "../../docs/methods");

export interface MethodPage {
  /** `boot-u-boot`. */
  readonly name: string;
  readonly text: string;
  /** The complete job of the page. */
  readonly job: string;
  /** The complete device dictionary of the page. */
  readonly dictionary: string;
}

/** A page of docs/methods with its job and its dictionary: what is documented is what the tests run. */
export function methodPage(name: string): MethodPage {
  const text = readFileSync(path.join(folder, `${name}.md`), "utf8");
  return {
    name,
    text,
    job: fence(text, "Job", "yaml", name),
    dictionary: fence(text, "Device dictionary", "jinja", name),
  };
}

export const methodPages = (): string[] =>
  readdirSync(folder)
    .filter((file) => /^(deploy|boot|test|command)\b.*\.md$/.test(file))
    .map((file) => file.replace(/\.md$/, ""))
    .sort();

/** The only fence of a language below a heading. */
function fence(text: string, heading: string, language: string, page: string): string {
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
  const fences = [...section.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)];
  const [only, ...more] = fences.filter(([, found]) => found === language);
  if (only && more.length === 0) return only[2] ?? "";
  const found = `found ${fences.length}`;
  throw new Error(
    `docs/methods/${page}.md: expected one \`${language}\` fence below "## ${heading}", ${found}`,
  );
}
