// Bundles the Lambda functions: into a folder, http.mjs, schedule.mjs, tick.mjs and events.mjs with the chunks that they share and
// the files that they read; and the same as a zip for deployment, which is byte for byte the same when the sources are.
import { build } from "esbuild";
import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { buildDocs } from "./build-docs.mjs";
import { buildClient } from "./build-client.mjs";
import { bundlePlanner } from "./bundle-planner.ts";
import { thirdPartyNotices } from "./third-party-notices.ts";
import { zip } from "./zip.mjs";

const root = path.resolve(import.meta.dirname, "..");
const FUNCTIONS = ["http", "schedule", "tick", "events"];

/** `outDir` must be new; the zip is written beside it, as `outDir`.zip. Gives what went into the code. */
export async function bundleLambda(outDir) {
  await mkdir(outDir, { recursive: true });
  const [{ metafile }, client, planner] = await Promise.all([
    buildCode(outDir),
    buildClient(path.join(outDir, "ui")),
    bundlePlanner(path.join(outDir, "planner.mjs")),
    cp(path.join(root, "device-templates"), path.join(outDir, "device-templates"), {
      recursive: true,
    }),
    cp(path.join(root, "docs/job.schema.json"), path.join(outDir, "job.schema.json")),
    cp(path.join(root, "docs/openapi.json"), path.join(outDir, "openapi.json")),
    buildDocs(path.join(outDir, "docs-site")),
  ]);
  const notices = await thirdPartyNotices([metafile, client, planner]);
  await writeFile(path.join(outDir, "THIRD-PARTY-NOTICES"), notices);
  const found = await readdir(outDir, { recursive: true, withFileTypes: true });
  const files = found
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => path.join(parentPath, name));
  const entries = files.map(async (file) => ({
    name: path.relative(outDir, file).split(path.sep).join("/"),
    bytes: await readFile(file),
  }));
  await writeFile(`${outDir}.zip`, zip(await Promise.all(entries)));
  return metafile;
}

const buildCode = (outdir) =>
  build({
    absWorkingDir: root,
    entryPoints: FUNCTIONS.map((name) => ({ in: `control-plane/lambda-${name}.ts`, out: name })),
    outdir,
    outExtension: { ".js": ".mjs" },
    // Beside the entries: the code looks for its files beside itself.
    chunkNames: "chunk-[hash]",
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    platform: "node",
    target: "node22",
    mainFields: ["module", "main"],
    jsx: "automatic",
    jsxImportSource: "hono/jsx",
    metafile: true,
    // THIRD-PARTY-NOTICES has them.
    legalComments: "none",
    logLevel: "warning",
    alias: {
      // The engine is given Lambda's credentials; the SDK's search for them is a fifth of it.
      "@aws-sdk/credential-provider-node": "./scripts/no-credential-provider.mjs",
      // The package's other build, which is of ES modules: what is not used falls out.
      yaml: "./node_modules/yaml/browser/index.js",
    },
  });
