// How the pages of docs/ become HTML: they are plain Markdown that a code forge shows as well, so what only the site needs is done here.
import path from "node:path";
import { addressOf } from "./chapters.mjs";

/** Files of docs/ that the lab serves elsewhere. */
const SERVED = { "job.schema.json": "/schemas/job.json", "openapi.json": "/api/v1/openapi.json" };
const OUTSIDE = /^(?:[a-z]+:|\/\/)/;

/**
 * Changes Eleventy's renderer (markdown-it). Links are rewritten from the place of the page, `env.page.inputPath`. HTML in the
 * pages is shown, not obeyed.
 */
export function amendMarkdown(md, docs) {
  md.set({ html: false, linkify: false, typographer: false });
  // Eleventy switches blocks of indented code off.
  md.enable("code");
  md.core.ruler.push("anchors", (state) => addAnchors(md, state));
  const { rules } = md.renderer;
  rules.heading_close = (tokens, n) => `${anchorOf(tokens[n])}</${tokens[n].tag}>\n`;
  rules.table_open = () =>
    '<div class="table" tabindex="0" role="group" aria-label="Table"><table>\n';
  rules.table_close = () => "</table></div>\n";
  // A heading without a word is none.
  rules.th_open = (tokens, n) => (tokens[n + 1].content === "" ? "<td>" : '<th scope="col">');
  rules.th_close = (tokens, n) => (tokens[n - 1].content === "" ? "</td>" : "</th>");
  rules.fence = (tokens, n) => codeBlock(md, tokens[n].content, tokens[n].info.trim());
  rules.code_block = (tokens, n) => codeBlock(md, tokens[n].content, "");
  rules.link_open = (tokens, n, options, env, self) => {
    const href = siteLink(tokens[n].attrGet("href") ?? "", fileOf(docs, env));
    if (href === undefined) {
      // A file of the sources: there is no address for it here.
      closingOf(tokens, n).meta = "source";
      return '<span class="source-file">';
    }
    tokens[n].attrSet("href", href);
    return self.renderToken(tokens, n, options);
  };
  rules.link_close = (tokens, n) => (tokens[n].meta === "source" ? "</span>" : "</a>");
  rules.image = (tokens, n, options, env, self) => {
    const token = tokens[n];
    token.attrSet("src", siteLink(token.attrGet("src") ?? "", fileOf(docs, env)) ?? "");
    token.attrSet("alt", token.content);
    token.attrSet("loading", "lazy");
    return self.renderToken(tokens, n, options);
  };
}

/** The path of a page in docs/. */
const fileOf = (docs, env) => path.relative(docs, path.resolve(env.page.inputPath));

/**
 * Where a link of a page leads in the site: another page, an example or an image of docs/; undefined for a file outside of docs/.
 * `from` is the page's path in docs/.
 */
export function siteLink(href, from) {
  if (OUTSIDE.test(href) || href.startsWith("#")) return href;
  const [file = "", anchor] = href.split("#");
  const target = path.posix.normalize(path.posix.join(path.posix.dirname(from), file));
  if (target.startsWith("..")) return undefined;
  if (SERVED[target] !== undefined) return SERVED[target];
  const place = target.endsWith(".md")
    ? addressOf(target.replace(/\.md$/, ""))
    : `/docs/${target.replace(/\/$/, "")}`;
  return anchor === undefined ? place : `${place}#${anchor}`;
}

/** As code forges make them of a heading, so that one link is good for both. */
export const slugOf = (heading) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replace(/\s/g, "-");

function addAnchors(md, state) {
  const seen = new Map();
  for (const [n, token] of state.tokens.entries()) {
    if (token.type !== "heading_open") continue;
    const text = plainText(state.tokens[n + 1]);
    const slug = slugOf(text);
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    const id = times === 0 ? slug : `${slug}-${times}`;
    const level = Number(token.tag.slice(1));
    if (level > 1) {
      token.attrSet("id", id);
      closingHeading(state.tokens, n).meta = { id, text: md.utils.escapeHtml(text) };
    }
  }
}

const closingHeading = (tokens, n) =>
  tokens.find((token, m) => m > n && token.type === "heading_close");

function anchorOf({ meta }) {
  if (!meta) return "";
  return ` <a class="anchor" href="#${meta.id}" aria-label="Link to: ${meta.text}">#</a>`;
}

function closingOf(tokens, n) {
  return tokens.find((token, m) => m > n && token.type === "link_close");
}

/** What a heading says, without its marks. */
export const plainText = ({ children }) =>
  (children ?? [])
    .filter(({ type }) => type === "text" || type === "code_inline")
    .map(({ content }) => content)
    .join("");

function codeBlock(md, content, language) {
  const name = language === "" ? "" : ` class="language-${md.utils.escapeHtml(language)}"`;
  const comments = /^(sh|yaml|jinja2?|python|)$/.test(language);
  const lines = md.utils.escapeHtml(content);
  const shown = comments
    ? lines.replace(/(^|\s\s)(#(?!\d)[^\n]*)/gm, '$1<span class="comment">$2</span>')
    : lines;
  return `<pre tabindex="0"><code${name}>${shown}</code></pre>\n`;
}
