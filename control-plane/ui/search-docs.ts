/** A section of the documentation. */
export interface DocsHit {
  href: string;
  title: string;
  heading: string;
  excerpt: string;
}

/** As scripts/build-docs.mjs writes them: address, id of the heading, title of the page, heading, text. */
type Section = readonly [string, string, string, string, string];

const MOST = 10;
const EXCERPT_CHARS = 140;

/** Sections of the documentation with all words that were typed, those that have them in their headings first. */
export async function searchDocs(text: string): Promise<DocsHit[]> {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean).slice(0, 10);
  if (words.length === 0) return [];
  const site = await (await import("./docs-site.ts")).loadDocsSite();
  const read = async (address: string): Promise<string> => {
    const entry = site.find(address);
    return entry ? new TextDecoder().decode(await site.read(entry)) : "";
  };
  // The pages name their index: its address has a hash in it.
  const [, index] = /data-index="([^"]+)"/.exec(await read("/docs")) ?? [];
  if (index === undefined) return [];
  const sections = JSON.parse((await read(index)) || "[]") as Section[];
  const isIn = (where: string): boolean =>
    words.every((word) => where.toLowerCase().includes(word));
  const hits = sections.filter((section) => isIn(section.slice(2).join("\n")));
  const rank = ([, , title, heading]: Section): number =>
    isIn(heading) ? 0 : isIn(`${title} ${heading}`) ? 1 : 2;
  return hits
    .toSorted((a, b) => rank(a) - rank(b))
    .slice(0, MOST)
    .map(([address, id, title, heading, body]) => ({
      href: id === "" ? address : `${address}#${id}`,
      ...{ title, heading, excerpt: excerptOf(body, words[0] ?? "") },
    }));
}

/** Around the first place of a word. */
function excerptOf(text: string, word: string): string {
  const at = Math.max(0, text.toLowerCase().indexOf(word) - EXCERPT_CHARS / 3);
  const from = at === 0 ? 0 : text.indexOf(" ", at) + 1;
  const end = text.length > from + EXCERPT_CHARS ? text.lastIndexOf(" ", from + EXCERPT_CHARS) : -1;
  const excerpt = text.slice(from, end > from ? end : from + EXCERPT_CHARS).trim();
  return `${from > 0 ? "… " : ""}${excerpt}${from + EXCERPT_CHARS < text.length ? " …" : ""}`;
}
