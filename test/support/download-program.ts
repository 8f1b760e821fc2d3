import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { build } from "esbuild";

const root = path.resolve(import.meta.dirname, "../..");

/** A program that makes one download by the cache, as a job's runner does: `FILE REQUEST_AS_JSON`; prints notes, then `{…}`. */
export async function downloadProgram(): Promise<{ file: string; remove: () => void }> {
  const folder = mkdtempSync(path.join(tmpdir(), "pumice-download-program-"));
  const file = path.join(folder, "download.cjs");
  const source = path.join(folder, "download.ts");
  writeFileSync(
    source,
    `import { download } from ${JSON.stringify(path.join(root, "worker/host/download.ts"))};
const request = JSON.parse(process.argv[2] ?? "");
const onNote = (text: string): void => void process.stdout.write(text + "\\n");
const onProgress = (received: number): void => void process.stdout.write("at " + received + "\\n");
download({ backoffMs: 1, ...request, onNote, onProgress }).then(
  (done) => process.stdout.write(JSON.stringify(done) + "\\n"),
  (error) => {
    process.stderr.write(String(error));
    process.exitCode = 1;
  },
);
`,
  );
  await build({
    entryPoints: [source],
    outfile: file,
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    tsconfig: path.join(root, "tsconfig.json"),
  });
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
