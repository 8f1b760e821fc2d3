// Bundles the two programs into dist/: pumice.mjs (Node.js 24) and pumice-worker.cjs (Node.js 20 or
// later, Bun).
// Beside them the cloud's control plane: lambda/ and lambda.zip.
// --out DIR: elsewhere. --parts FILE: which npm packages are in what, as JSON.
import { build } from "esbuild";
import { cp, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { buildDocs } from "./build-docs.mjs";
import { buildClient } from "./build-client.mjs";
import { bundleLambda } from "./bundle-lambda.mjs";
import { bundlePlanner } from "./bundle-planner.ts";
import { bundleWorker } from "./bundle-worker.ts";
import { partsOf, thirdPartyNotices } from "./third-party-notices.ts";

const root = path.resolve(import.meta.dirname, "..");
const { values: options } = parseArgs({
  options: { out: { type: "string" }, parts: { type: "string" } },
});
const dist = path.resolve(options.out ?? path.join(root, "dist"));
// Built beside, then moved file by file: whoever reads meanwhile finds the old file or the new one, whole.
const fresh = `${dist}.${process.pid}`;

await mkdir(fresh, { recursive: true });
try {
  const [client, lambda, pumice, worker, planner] = await Promise.all([
    buildClient(path.join(fresh, "ui")),
    bundleLambda(path.join(fresh, "lambda")),
    build({
      ...common("control-plane/cli/pumice.ts", "pumice.mjs"),
      format: "esm",
      target: "node24",
      jsx: "automatic",
      jsxImportSource: "hono/jsx",
      // The yaml package is CommonJS inside and asks for node:process by require.
      banner: {
        js: '#!/usr/bin/env node\nimport { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
      },
    }),
    bundleWorker({
      outfile: path.join(fresh, "pumice-worker.cjs"),
      banner: "#!/usr/bin/env node",
    }),
    bundlePlanner(path.join(fresh, "planner.mjs")),
    cp(path.join(root, "device-templates"), path.join(fresh, "device-templates"), {
      recursive: true,
    }),
    cp(path.join(root, "docs/job.schema.json"), path.join(fresh, "job.schema.json")),
    cp(path.join(root, "docs/openapi.json"), path.join(fresh, "openapi.json")),
    buildDocs(path.join(fresh, "docs-site")),
    cp(path.join(root, "LICENSE"), path.join(fresh, "LICENSE")),
  ]);
  const notices = await thirdPartyNotices([client, lambda, pumice.metafile, worker, planner]);
  await writeFile(path.join(fresh, "THIRD-PARTY-NOTICES"), notices);
  if (options.parts) {
    const outputs = { client, lambda, pumice: pumice.metafile, worker, planner };
    const parts = Object.entries(outputs).map(async ([name, one]) => [name, await partsOf([one])]);
    await writeFile(options.parts, JSON.stringify(Object.fromEntries(await Promise.all(parts))));
  }
  await writeFile(path.join(fresh, ".stamp"), "");
  await replaceFolder(path.join(fresh, "lambda"), path.join(dist, "lambda"));
  await replaceFolder(path.join(fresh, "docs-site"), path.join(dist, "docs-site"));
  await moveInto(fresh, dist);
} finally {
  await rm(fresh, { recursive: true, force: true });
}

function common(entry, out) {
  return {
    entryPoints: [path.join(root, entry)],
    outfile: path.join(fresh, out),
    absWorkingDir: root,
    bundle: true,
    metafile: true,
    platform: "node",
    logLevel: "warning",
    // THIRD-PARTY-NOTICES has them.
    legalComments: "none",
    loader: { ".css": "text" },
  };
}

async function moveInto(from, to) {
  const entries = await readdir(from, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((found) => found.isFile())) {
    const source = path.join(entry.parentPath, entry.name);
    const target = path.join(to, path.relative(from, source));
    await mkdir(path.dirname(target), { recursive: true });
    await rename(source, target);
  }
}

/** As a whole: its chunks have new names each time. */
async function replaceFolder(from, to) {
  const old = `${to}.${process.pid}`;
  await mkdir(to, { recursive: true });
  await rename(to, old);
  await rename(from, to);
  await rm(old, { recursive: true });
}
