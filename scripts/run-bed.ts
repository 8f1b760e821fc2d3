import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Bed } from "../test/beds/bed.ts";

const folder = path.resolve(import.meta.dirname, "../test/beds");
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".bed.test.ts"))
  .filter((file) => /^export (async )?function start\b|^export const start\b/m.test(read(file)))
  .map((file) => file.replace(/\.ts$/, ""));

const [name = ""] = process.argv.slice(2);
if (!names.includes(name)) {
  const isHelp = name === "--help" || name === "-h";
  const text = `usage: npm run bed -- NAME

Starts a virtual device as the tests do, writes its device dictionary and says how to reach it. Ctrl-C stops it.

Beds: ${names.join(", ")}
`;
  (isHelp ? process.stdout : process.stderr).write(text);
  process.exit(isHelp ? 0 : 2);
}

const work = mkdtempSync(path.join(tmpdir(), `pumice-bed-${name}-`));
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const { start } = (await import(pathToFileURL(path.join(folder, `${name}.ts`)).href)) as {
  start: (folder: string, say: (line: string) => void) => Promise<Bed>;
};
let bed: Bed | undefined;
try {
  bed = await start(work, say);
  const dictionary = path.join(work, `${name}.jinja2`);
  writeFileSync(dictionary, bed.dictionary);
  say(`The bed ${name} runs. Its device dictionary:\n\n${bed.dictionary.trim()}\n`);
  for (const hint of bed.hints) say(hint);
  say(`Run a job on it: dist/pumice-worker.cjs run JOB.yaml --device ${dictionary}`);
  say("Ctrl-C stops it.");
  // A signal alone does not keep the process.
  const alive = setInterval(() => {}, 2 ** 30);
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, resolve);
  });
  clearInterval(alive);
} finally {
  await bed?.close();
  rmSync(work, { recursive: true, force: true });
}

function read(file: string): string {
  return readFileSync(path.join(folder, file), "utf8");
}
