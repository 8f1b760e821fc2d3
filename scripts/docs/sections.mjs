// What the search of the documentation looks through.
import { slugOf } from "./markdown.mjs";

/** The sections of a page by their headings, without most of Markdown's marks. The first has no `heading` and an empty `id`. */
export function sectionsOf(markdown) {
  const seen = new Map();
  const sections = [{ id: "", heading: "", lines: [] }];
  let isCode = false;
  for (const line of markdown.split("\n")) {
    if (/^\s*```/.test(line)) isCode = !isCode;
    const [, marks, heading] = (!isCode && /^(#{1,4}) (.+)$/.exec(line)) || [];
    if (heading === undefined) sections.at(-1).lines.push(line);
    else if (marks.length > 1) {
      const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replaceAll("`", "");
      const slug = slugOf(text);
      const times = seen.get(slug) ?? 0;
      seen.set(slug, times + 1);
      sections.push({ id: times === 0 ? slug : `${slug}-${times}`, heading: text, lines: [] });
    }
  }
  return sections.map(({ id, heading, lines }) => ({ id, heading, text: plain(lines.join("\n")) }));
}

const plain = (text) =>
  text
    .replace(/^\s*```.*$/gm, "")
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/^\|[-| ]+\|$/gm, "")
    .replace(/[`*|]/g, " ")
    .replace(/\s+/g, " ")
    .trim();
