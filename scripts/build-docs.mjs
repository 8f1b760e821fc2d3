// Builds the documentation site from docs/ into a folder: docs-site/ beside the bundled programs, or one that tests throw
// away. control-plane/ui/docs-site.ts reads what its manifest.json lists.
import Eleventy from "@11ty/eleventy";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { apiPage } from "./docs/api-page.mjs";
import { addressOf } from "./docs/chapters.mjs";
import { amendMarkdown } from "./docs/markdown.mjs";
import { sectionsOf } from "./docs/sections.mjs";

const root = path.resolve(import.meta.dirname, "..");
const docs = path.join(root, "docs");
const MEDIA_TYPES = { ".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png" };

export async function buildDocs(outDir) {
  await mkdir(outDir, { recursive: true });
  const site = makeSite(outDir);
  const names = await pageNames();
  const index = await site.addHashed("search.json", await searchTexts(names));
  for (const { page, html } of await renderPages(names, index)) {
    await site.addPage(addressOf(page), names[page], html);
  }
  for (const folder of ["examples", "images"]) {
    for (const file of await filesBelow(path.join(docs, folder))) {
      await site.add(
        `/docs/${folder}/${file}`,
        path.extname(file),
        await readFile(path.join(docs, folder, file)),
      );
    }
  }
  await site.close();
}

/** The files by address; each stands in the folder under the hash of what it is. */
function makeSite(outDir) {
  const manifest = {};
  const write = async (extension, body) => {
    const file = `${createHash("sha256").update(body).digest("hex").slice(0, 16)}${extension}`;
    await writeFile(path.join(outDir, file), body);
    return file;
  };
  const add = async (address, extension, body) => {
    const type = MEDIA_TYPES[extension] ?? "text/plain; charset=utf-8";
    manifest[address] = { file: await write(extension, body), type };
  };
  return {
    add,
    async addPage(address, title, html) {
      manifest[address] = { file: await write(".html", html), title };
    },
    /** One whose address changes with what it is. */
    async addHashed(name, body) {
      const { name: stem, ext } = path.parse(name);
      const hash = createHash("sha256").update(body).digest("hex").slice(0, 12);
      const address = `/docs/assets/${stem}-${hash}${ext}`;
      await add(address, ext, body);
      return address;
    },
    /** In an order of its own: pages come as they are rendered, and the same sources are the same files. */
    close: () => {
      const inOrder = Object.fromEntries(
        Object.keys(manifest)
          .sort()
          .map((address) => [address, manifest[address]]),
      );
      return writeFile(path.join(outDir, "manifest.json"), JSON.stringify(inOrder));
    },
  };
}

/** The heading of each page, by its path in docs/ without `.md`. */
async function pageNames() {
  const names = { api: "API reference" };
  for (const file of (await filesBelow(docs)).filter((one) => one.endsWith(".md"))) {
    const [, heading] = /^# (.+)$/m.exec(await readFile(path.join(docs, file), "utf8")) ?? [];
    if (heading === undefined) throw new Error(`docs/${file} has no heading`);
    names[file.replace(/\.md$/, "")] = heading.replaceAll("`", "");
  }
  return names;
}

async function renderPages(names, index) {
  const api = apiPage(JSON.parse(await readFile(path.join(docs, "openapi.json"), "utf8")));
  const input = path.relative(process.cwd(), docs);
  const eleventy = new Eleventy(input, "never-written", {
    quietMode: true,
    configPath: false,
    config: (config) => configure(config, { names, index, api }),
  });
  const pages = await eleventy.toJSON();
  return pages.map(({ url, content }) => ({
    page: url.replace(/^\//, "").replace(/\.html$/, ""),
    html: content,
  }));
}

function configure(config, { names, index, api }) {
  const pathOf = ({ page }) => page.filePathStem.replace(/^\//, "");
  config.setUseGitIgnore(false);
  config.setIncludesDirectory("../scripts/docs");
  config.setTemplateFormats(["md", "html"]);
  // Jinja in the pages is what they are about: nothing in them is a template.
  config.addGlobalData("templateEngineOverride", "md");
  config.addTemplate("api.html", api, { templateEngineOverride: false });
  config.amendLibrary("md", (md) => amendMarkdown(md, docs));
  config.addGlobalData("layout", "page.11ty.mjs");
  config.addGlobalData("permalink", () => (data) => `${pathOf(data)}.html`);
  config.addGlobalData("names", names);
  config.addGlobalData("index", index);
  config.addGlobalData("eleventyComputed", {
    path: pathOf,
  });
}

/** The sections of all pages, for the search in the browser. */
async function searchTexts(names) {
  const sections = [];
  for (const page of Object.keys(names)
    .filter((name) => name !== "api")
    .sort()) {
    const text = await readFile(path.join(docs, `${page}.md`), "utf8");
    sections.push(
      ...sectionsOf(text).map((one) => [
        addressOf(page),
        one.id,
        names[page],
        one.heading,
        one.text,
      ]),
    );
  }
  return JSON.stringify(sections);
}

async function filesBelow(folder) {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return found
    .filter((entry) => entry.isFile())
    .map((entry) =>
      path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join("/"),
    )
    .sort();
}
