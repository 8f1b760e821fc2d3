import { tmpdir } from "node:os";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import path from "node:path";

/** A page of the documentation has a `title`, a file of it a media type. */
export interface DocsEntry {
  readonly file: string;
  readonly title?: string;
  readonly type?: string;
}

export interface DocsSite {
  /** By the address asked for; nothing else can be had. */
  find(address: string): DocsEntry | undefined;
  read(entry: DocsEntry): Promise<Uint8Array<ArrayBuffer>>;
}

let loaded: Promise<DocsSite> | undefined;

/**
 * The documentation site. A bundled program has it in `docs-site/` beside itself and reads a file when it is asked for; run from
 * its sources, as in tests, it builds the site once and keeps it in memory.
 */
export function loadDocsSite(): Promise<DocsSite> {
  loaded ??= load().catch((error: unknown) => {
    // The next reader has it tried again.
    loaded = undefined;
    throw error;
  });
  return loaded;
}

async function load(): Promise<DocsSite> {
  if (import.meta.url.endsWith("/control-plane/ui/docs-site.ts")) return buildSite();
  const folder = path.join(import.meta.dirname, "docs-site");
  const manifest = await readManifest(folder);
  return {
    find: (address) => manifest.get(address),
    read: async ({ file }) => new Uint8Array(await readFile(path.join(folder, file))),
  };
}

async function readManifest(folder: string): Promise<Map<string, DocsEntry>> {
  const text = await readFile(path.join(folder, "manifest.json"), "utf8");
  return new Map(Object.entries(JSON.parse(text) as Record<string, DocsEntry>));
}

async function buildSite(): Promise<DocsSite> {
  const folder = await mkdtemp(path.join(tmpdir(), "pumice-docs-"));
  try {
    // A name that the bundler cannot follow: a bundled program never comes here and needs no generator.
    const script = new URL("../../scripts/build-docs.mjs", import.meta.url).href;
    const { buildDocs } = (await import(script)) as {
      buildDocs: (outDir: string) => Promise<void>;
    };
    await buildDocs(folder);
    const manifest = await readManifest(folder);
    const files = new Map<string, Uint8Array<ArrayBuffer>>();
    for (const { file } of manifest.values()) {
      files.set(file, new Uint8Array(await readFile(path.join(folder, file))));
    }
    return {
      find: (address) => manifest.get(address),
      read: async ({ file }) => files.get(file) ?? new Uint8Array(),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
