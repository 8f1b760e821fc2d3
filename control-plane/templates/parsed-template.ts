import type { Template } from "./ast.ts";
import { parseTemplate } from "./parse-template.ts";

/** Trees of texts that were parsed last; a lab's devices share most of theirs. */
const trees = new Map<string, Template>();
/** Of all texts together, some 20 MB as trees; the oldest go first. */
const MAX_CHARS = 2_000_000;
let chars = 0;

/** The tree of a template, parsed once for the same text and name. Throws TemplateError. */
export function parsedTemplate(source: string, name: string): Template {
  const key = `${name}\n${source}`;
  const known = trees.get(key);
  if (known) return known;
  const template = parseTemplate(source, name);
  trees.set(key, template);
  chars += key.length;
  for (const [oldest] of trees) {
    if (chars <= MAX_CHARS) break;
    trees.delete(oldest);
    chars -= oldest.length;
  }
  return template;
}
