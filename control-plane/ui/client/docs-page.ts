import MiniSearch from "minisearch";

/** The search of the documentation: finds sections by their words while one types. The page reads as well without it. */

const MOST = 12;
const EXCERPT = 110;

/** As scripts/build-docs.mjs writes them: address, id of the heading, title of the page, heading, text. */
type Section = readonly [string, string, string, string, string];

/** A section and those of its words that fit. */
interface Hit {
  readonly section: Section;
  readonly words: readonly string[];
}

const search = document.querySelector<HTMLElement>(".docs-search");
const input = search?.querySelector("input");
const found = search?.querySelector<HTMLElement>("#found");
if (search && input && found) begin(search, input, found);

function begin(box: HTMLElement, field: HTMLInputElement, list: HTMLElement): void {
  let loading: ReturnType<typeof load> | undefined;
  const index = () => (loading ??= load(box.dataset["index"] ?? ""));
  const show = async () => {
    const asked = field.value.trim();
    const hits = asked === "" ? [] : await index().then((find) => find(asked));
    if (field.value.trim() !== asked) return;
    list.replaceChildren(
      ...(asked !== "" && hits.length === 0 ? [nothing(asked)] : hits.map(option)),
    );
    toggle(asked !== "");
  };
  const toggle = (isOpen: boolean) => {
    list.hidden = !isOpen;
    field.setAttribute("aria-expanded", String(isOpen));
    field.removeAttribute("aria-activedescendant");
  };
  box.hidden = false;
  field.addEventListener("focus", () => void index());
  field.addEventListener("input", () => void show());
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return toggle(false);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(field, list, event.key === "ArrowDown" ? 1 : -1);
    }
    if (event.key === "Enter") (chosen(list) ?? list.querySelector("a"))?.click();
  });
  box.addEventListener("focusout", ({ relatedTarget }) => {
    if (!box.contains(relatedTarget as Node | null)) toggle(false);
  });
}

async function load(address: string): Promise<(asked: string) => Hit[]> {
  const sections = (await (await fetch(address)).json()) as Section[];
  const searched = new MiniSearch<{ n: number }>({
    idField: "n",
    fields: ["title", "heading", "text"],
    extractField: ({ n }, field) => {
      if (field === "n") return n as unknown as string;
      const [, , title, heading, text] = sections[n] as Section;
      return { title, heading, text }[field] ?? "";
    },
    searchOptions: {
      boost: { title: 3, heading: 4 },
      prefix: true,
      fuzzy: 0.15,
      combineWith: "AND",
    },
  });
  searched.addAll(sections.map((_section, n) => ({ n })));
  return (asked) =>
    searched
      .search(asked)
      .slice(0, MOST)
      .map(({ id, terms }) => ({ section: sections[id as number] as Section, words: terms }));
}

function option({ section, words }: Hit, n: number): HTMLElement {
  const [address, id, title, heading, text] = section;
  const link = document.createElement("a");
  link.href = id === "" ? address : `${address}#${id}`;
  link.id = `found-${n}`;
  link.tabIndex = -1;
  link.setAttribute("role", "option");
  link.setAttribute("aria-selected", "false");
  const name = document.createElement("strong");
  name.textContent = heading === "" ? title : `${title}: ${heading}`;
  const excerpt = document.createElement("small");
  excerpt.append(...excerptOf(text, words));
  link.append(name, excerpt);
  return link;
}

/** The text about the first of the words, which is marked. */
function excerptOf(text: string, words: readonly string[]): (string | HTMLElement)[] {
  const lower = text.toLowerCase();
  const places = words.map((word) => [lower.indexOf(word), word.length] as const);
  const [at, length] = places.filter(([from]) => from >= 0).toSorted(([a], [b]) => a - b)[0] ?? [
    0, 0,
  ];
  const from = at < EXCERPT ? 0 : text.lastIndexOf(" ", at - EXCERPT / 2) + 1;
  const end = text.length <= from + EXCERPT ? text.length : text.lastIndexOf(" ", from + EXCERPT);
  const mark = document.createElement("mark");
  mark.textContent = text.slice(at, at + length);
  const after = text.slice(at + length, Math.max(end, at + length));
  return [
    (from > 0 ? "… " : "") + text.slice(from, at),
    ...(length > 0 ? [mark] : []),
    after + (end < text.length ? " …" : ""),
  ];
}

function nothing(asked: string): HTMLElement {
  const line = document.createElement("p");
  line.setAttribute("role", "option");
  line.setAttribute("aria-selected", "false");
  line.textContent = `Nothing about “${asked}”.`;
  return line;
}

const chosen = (list: HTMLElement) =>
  list.querySelector<HTMLAnchorElement>('a[aria-selected="true"]');

/** The focus stays where one types. */
function move(field: HTMLInputElement, list: HTMLElement, step: number): void {
  const links = [...list.querySelectorAll("a")];
  const from = links.findIndex((link) => link.getAttribute("aria-selected") === "true");
  const to = links[(from + step + links.length + (from < 0 && step < 0 ? 1 : 0)) % links.length];
  if (!to) return;
  for (const link of links) link.setAttribute("aria-selected", String(link === to));
  field.setAttribute("aria-activedescendant", to.id);
  to.scrollIntoView({ block: "nearest" });
}
