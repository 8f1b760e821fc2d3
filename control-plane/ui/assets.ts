import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import path from "node:path";

/** The files that pages ask for; scripts/build-client.mjs makes them. */
const NAMES = [
  ...(["style.css", "icon.svg", "shell.js", "job-page.js", "list-page.js"] as const),
  ...(["log-worker.js", "log-search-worker.js"] as const),
  ...(["device-page.js", "console-page.js", "terminal.css"] as const),
  ...(["docs-page.js", "docs.css"] as const),
  ...(["chart.js", "charts.css"] as const),
  ...(["submit-page.js", "submit.css", "job-words.json", "job-templates.json"] as const),
] as const;
export type AssetName = (typeof NAMES)[number];

const MEDIA_TYPES: Record<string, string> = {
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
};

export interface Assets {
  /** Path of an asset, with its hash in it: what is behind it never changes. */
  url(name: AssetName): string;
  find(path: string): { body: string; mediaType: string } | undefined;
}

let loaded: Promise<Assets> | undefined;

/**
 * The browser's files, read once. A bundled program has them in `ui/` beside itself; run from its sources, as
 * in tests, it builds them.
 */
export const loadAssets = (): Promise<Assets> => (loaded ??= load());

async function load(): Promise<Assets> {
  const urls = new Map<string, string>();
  const files = new Map<string, { body: string; mediaType: string }>();
  for (const [name, body] of Object.entries(await readTexts())) {
    const hash = createHash("sha256").update(body).digest("hex").slice(0, 12);
    const { name: stem, ext } = path.parse(name);
    const url = `/assets/${stem}-${hash}${ext}`;
    urls.set(name, url);
    files.set(url, { body, mediaType: MEDIA_TYPES[ext] ?? "text/plain" });
  }
  return {
    url: (name) => urls.get(name) ?? "",
    find: (url) => files.get(url),
  };
}

async function readTexts(): Promise<Record<string, string>> {
  if (!import.meta.url.endsWith("/control-plane/ui/assets.ts")) {
    return readFolder(path.join(import.meta.dirname, "ui"));
  }
  const folder = await mkdtemp(path.join(tmpdir(), "pumice-ui-"));
  try {
    // A name that the bundler cannot follow: a bundled program never comes here and needs no esbuild.
    const script = new URL("../../scripts/build-client.mjs", import.meta.url).href;
    const { buildClient } = (await import(script)) as {
      buildClient: (outDir: string) => Promise<void>;
    };
    await buildClient(folder);
    return await readFolder(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readFolder(folder: string): Promise<Record<string, string>> {
  const texts = NAMES.map(async (name) => [name, await readFile(path.join(folder, name), "utf8")]);
  return Object.fromEntries(await Promise.all(texts)) as Record<string, string>;
}
