import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import { loadDocsSite, type DocsSite } from "../../control-plane/ui/docs-site.ts";
import { pages } from "./blocks.ts";

const root = path.resolve(import.meta.dirname, "../..");
const { addressOf, CHAPTERS, SHORT_NAMES } = (await import(
  new URL("../../scripts/docs/chapters.mjs", import.meta.url).href
)) as {
  addressOf: (page: string) => string;
  CHAPTERS: readonly { pages: readonly string[] }[];
  SHORT_NAMES: Readonly<Record<string, string>>;
};
const inDocs = pages().map((page) => page.replace(/^docs\//, "").replace(/\.md$/, ""));

let site: DocsSite;
beforeAll(async () => {
  site = await loadDocsSite();
});

async function htmlOf(address: string): Promise<string> {
  const entry = site.find(address);
  if (!entry) throw new Error(`the site has no ${address}`);
  return new TextDecoder().decode(await site.read(entry));
}
const idsOf = (html: string) => new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
/** Served by the lab outside of its documentation. */
const ELSEWHERE = ["/", "/schemas/job.json", "/api/v1/openapi.json"];

test.each([...inDocs, "api"])("every link and image of %s leads somewhere", async (page) => {
  const here = addressOf(page);
  const html = await htmlOf(here);
  const broken: string[] = [];
  for (const [, link = ""] of html.matchAll(/ (?:href|src)="([^"]*)"/g)) {
    if (/^(https?|mailto):/.test(link) || ELSEWHERE.includes(link)) continue;
    const [target = "", anchor] = link.split("#");
    const address = target === "" ? here : target;
    const entry = site.find(address);
    const isFolder = existsSync(path.join(root, address)) && address.startsWith("/docs/examples/");
    if (!entry && !isFolder) broken.push(link);
    if (anchor !== undefined && !idsOf(await htmlOf(address)).has(anchor)) broken.push(link);
  }
  expect(broken).toEqual([]);
});

test.each([...pages(), "README.md"])("every file that %s links to is there", (page) => {
  const text = readFileSync(path.join(root, page), "utf8").replace(/^ *```[\s\S]*?^ *```$/gm, "");
  const broken = [...text.matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)]
    .map(([, link = ""]) => link)
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => !existsSync(path.resolve(root, path.dirname(page), link)));
  expect(broken).toEqual([]);
});

test("each page stands in a chapter, once, and the chapters name no other", () => {
  const listed = CHAPTERS.flatMap((chapter) => chapter.pages);
  const own = inDocs.filter((page) => !page.startsWith("methods/") || page === "methods/README");
  expect(listed.toSorted()).toEqual([...own, "api"].toSorted());
  expect(Object.keys(SHORT_NAMES).filter((page) => !listed.includes(page))).toEqual([]);
});

test("nothing of a page's own text is obeyed as HTML", async () => {
  const entries = await Promise.all(inDocs.map((page) => htmlOf(addressOf(page))));
  for (const html of entries) expect(html).not.toMatch(/<script|<style| style=| on[a-z]+="/i);
});
