// Builds what browsers get, the scripts and the style sheet, into a folder: ui/ beside the bundled
// program, or one that tests throw away. control-plane/ui/assets.ts reads it.
import { build } from "esbuild";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { jobTemplates } from "./job-templates.ts";
import { jobWords } from "./job-words.ts";

const ui = path.resolve(import.meta.dirname, "../control-plane/ui");

export async function buildClient(outDir) {
  await mkdir(outDir, { recursive: true });
  const { metafile } = await build({
    absWorkingDir: path.resolve(ui, "../.."),
    metafile: true,
    entryPoints: {
      shell: path.join(ui, "client/shell.ts"),
      "job-page": path.join(ui, "client/job-page.ts"),
      "log-worker": path.join(ui, "client/log-worker.ts"),
      "log-search-worker": path.join(ui, "client/log-search-worker.ts"),
      "list-page": path.join(ui, "client/list-page.ts"),
      "device-page": path.join(ui, "client/device-page.ts"),
      "console-page": path.join(ui, "client/console-page.ts"),
      "docs-page": path.join(ui, "client/docs-page.ts"),
      docs: path.join(ui, "style/docs.css"),
      chart: path.join(ui, "client/chart.ts"),
      charts: path.join(ui, "chart.css"),
      "submit-page": path.join(ui, "client/submit-page.ts"),
      submit: path.join(ui, "style/submit.css"),
      terminal: path.join(ui, "terminal.css"),
      style: path.join(ui, "style.css"),
    },
    outdir: outDir,
    bundle: true,
    minify: true,
    format: "esm",
    target: ["chrome111", "firefox121", "safari16.4"],
    logLevel: "warning",
    // xterm.js is under the MIT licence, whose notice goes along.
    legalComments: "eof",
  });
  await copyFile(path.join(ui, "icon.svg"), path.join(outDir, "icon.svg"));
  const schema = JSON.parse(await readFile(path.join(ui, "../../docs/job.schema.json"), "utf8"));
  await writeFile(path.join(outDir, "job-words.json"), JSON.stringify(jobWords(schema)));
  const templates = JSON.stringify(await jobTemplates());
  await writeFile(path.join(outDir, "job-templates.json"), templates);
  return metafile;
}
