import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { build } from "esbuild";

const root = path.resolve(import.meta.dirname, "../..");

/** pumice as one file, bundled as scripts/bundle.mjs does. Remove it after the tests. */
export async function pumiceProgram(): Promise<{ file: string; remove: () => void }> {
  const folder = mkdtempSync(path.join(tmpdir(), "pumice-program-"));
  const file = path.join(folder, "pumice.mjs");
  const require =
    'import { createRequire as r } from "node:module"; const require = r(import.meta.url);';
  await build({
    entryPoints: [path.join(root, "control-plane/cli/pumice.ts")],
    outfile: file,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    jsx: "automatic",
    jsxImportSource: "hono/jsx",
    loader: { ".css": "text" },
    banner: { js: require },
  });
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
