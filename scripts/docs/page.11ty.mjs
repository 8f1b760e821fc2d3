// The layout of every page of the documentation site: what stands in `main`. The lab puts its own header around it as it does for
// its other pages (control-plane/ui/docs-page.tsx). No inline script or style: the lab's policy forbids both.
import { addressOf, CHAPTERS, neighboursOf, SHORT_NAMES } from "./chapters.mjs";

const escape = (text) =>
  text.replace(
    /[&<>"]/g,
    (one) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[one],
  );

/** `data` has what build-docs.mjs computes of a page: `path` in docs/, the `names` of all, the address of the search's `index`. */
export const render = ({ content, path, names, index }) => `<div class="docs">
<div class="docs-top">
<a class="to-chapters" href="#chapters">Chapters</a>
<search class="docs-search" data-index="${index}" hidden>
<input type="search" placeholder="Search the docs" aria-label="Search the documentation" autocomplete="off" spellcheck="false" maxlength="100" role="combobox" aria-expanded="false" aria-controls="found" aria-autocomplete="list">
<div id="found" role="listbox" aria-label="Found in the documentation" hidden></div>
</search>
</div>
<article>
${content}
${neighbours(path, names)}
</article>
${contents(content)}
<nav id="chapters" aria-label="Chapters">
${CHAPTERS.map((chapter) => chapterList(chapter, path, names)).join("\n")}
</nav>
</div>
`;

function chapterList({ title, pages }, path, names) {
  const listed = pages.filter((page) => names[page] !== undefined);
  const items = listed.map((page) => {
    const current =
      page === path || (page === "methods/README" && path.startsWith("methods/"))
        ? ' aria-current="page"'
        : "";
    return `<li><a href="${addressOf(page)}"${current}>${escape(SHORT_NAMES[page] ?? names[page])}</a></li>`;
  });
  return `<h2>${escape(title)}</h2>\n<ul>${items.join("")}</ul>`;
}

/** The sections of a page that has several. */
function contents(content) {
  const found = [...content.matchAll(/<h2 id="([^"]+)"[^>]*>(.*?) <a class="anchor"/g)];
  if (found.length < 2) return "";
  const items = found.map(
    ([, id, text]) => `<li><a href="#${id}">${text.replace(/<[^>]*>/g, "")}</a></li>`,
  );
  return `<nav id="contents" aria-label="On this page"><h2>On this page</h2><ul>${items.join("")}</ul></nav>`;
}

function neighbours(path, names) {
  const { before, after } = neighboursOf(path);
  const link = (page, rel, label) =>
    page === undefined || names[page] === undefined
      ? ""
      : `<a rel="${rel}" href="${addressOf(page)}"><small>${label}</small>${escape(names[page])}</a>`;
  const links = link(before, "prev", "Before") + link(after, "next", "Next");
  return links === "" ? "" : `<nav class="neighbours" aria-label="Reading order">${links}</nav>`;
}
