import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { startCli } from "../support/cli-run.ts";

const root = path.resolve(import.meta.dirname, "../..");
/** What is called of ours in a line, at its beginning or behind what begins another command. */
const CALLS =
  /(?:^|(?:&&|\|\||[;|(]|sudo(?: -u \S+)?|exec \S+|\b[A-Z_]+=\S*) *)(scripts\/[\w-]+|pumice-worker|pumice|npm run)(?= |$)([^|;&)<>]*)/g;

const scripts = Object.keys(
  (JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as { scripts: object })
    .scripts,
);

const helps = new Map<string, Promise<string>>();
/** What a command says of itself; of none, the overview. */
function helpOf(...words: string[]): Promise<string> {
  const key = words.join(" ");
  const ask = async () => {
    const run = startCli([...words, "--help"]);
    await run.ended;
    return run.out;
  };
  helps.set(key, helps.get(key) ?? ask());
  return helps.get(key)!;
}
let ofWorker: string | undefined;
const workerHelp = (): string =>
  (ofWorker ??= execFileSync(process.execPath, [path.join(root, "worker/main.ts"), "--help"], {
    encoding: "utf8",
  }));

/** What the commands of a block name that is not there. */
export async function commandProblems(text: string): Promise<string[]> {
  const problems: string[] = [];
  for (const line of text.replaceAll("\\\n", " ").split("\n")) {
    const code = line.replace(/(^|\s)#.*$/, "").trim();
    if (code === "") continue;
    for (const [, program = "", rest = ""] of code.matchAll(CALLS)) {
      const words = rest
        .trim()
        .split(/\s+/)
        .filter((word) => word !== "");
      problems.push(...(await problemsOf(program, words)).map((one) => `${code}: ${one}`));
    }
  }
  return problems;
}

async function problemsOf(program: string, words: readonly string[]): Promise<string[]> {
  if (program === "npm run") {
    const name = words.find((word) => !word.startsWith("-")) ?? "";
    return scripts.includes(name) ? [] : [`package.json has no script ${name}`];
  }
  if (program.endsWith("pumice-worker")) return ofWorkerProblems(words);
  if (/(^|\/)pumice$/.test(program)) return pumiceProblems(words);
  return existsSync(path.join(root, program)) ? [] : [`there is no ${program}`];
}

async function pumiceProblems(words: readonly string[]): Promise<string[]> {
  const overview = await helpOf();
  if (words.length === 0 || words[0]?.startsWith("--")) return [];
  const isCommand = (some: readonly string[]) => overview.includes(`\n  ${some.join(" ")} `);
  const count = [3, 2, 1].find((most) => isCommand(words.slice(0, most)));
  if (count === undefined) return [`there is no command ${words.join(" ")}`];
  const help = await helpOf(...words.slice(0, count));
  return optionsOf(words)
    .filter((one) => !help.includes(one))
    .map((one) => `it has no ${one}`);
}

function ofWorkerProblems([command = "", ...words]: readonly string[]): string[] {
  if (command === "" || command.startsWith("-") || command.startsWith("/")) return [];
  const help = workerHelp();
  if (!help.includes(`\n  pumice-worker ${command}`)) return [`there is no command ${command}`];
  return optionsOf(words)
    .filter((one) => !help.includes(one))
    .map((one) => `it has no ${one}`);
}

/** Every command has --help. */
const optionsOf = (words: readonly string[]): string[] =>
  words
    .filter((word) => word.startsWith("--") && !["--", "--help"].includes(word))
    .map((word) => /^[-a-z]+/.exec(word)?.[0] ?? "");
