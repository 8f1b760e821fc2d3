import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { startCli } from "../support/cli-run.ts";

const root = path.resolve(import.meta.dirname, "../..");

async function helpOf(...words: string[]): Promise<string> {
  const run = startCli([...words, "--help"]);
  await run.ended;
  return run.out;
}

/** The words of each command: `workers add`, of a line of the overview. */
const commandsIn = (overview: string): string[][] =>
  overview
    .split("\n")
    .filter((line) => /^ {2}[a-z]/.test(line))
    .map((line) => /^ {2}((?:[a-z][-a-z]* )+)/.exec(line)?.[1]?.trim().split(" ") ?? [])
    .filter((words) => words.length > 0);

async function asPage(): Promise<string> {
  const overview = await helpOf();
  const topics = new Map<string, string[][]>();
  for (const words of commandsIn(overview)) {
    const [topic = ""] = words;
    topics.set(topic, [...(topics.get(topic) ?? []), words]);
  }
  const sections: string[] = [];
  for (const [topic, commands] of topics) {
    const helps: string[] = [];
    for (const words of commands) helps.push(await helpOf(...words));
    const blocks = helps.map((help) => `\`\`\`text\n${help.trim()}\n\`\`\``);
    sections.push(`### pumice ${topic}\n\n${blocks.join("\n\n")}`);
  }
  const [, connection = ""] = /\n\n(Where the control plane is[\s\S]*)/.exec(overview) ?? [];
  const worker = execFileSync(process.execPath, [path.join(root, "worker/main.ts"), "--help"], {
    encoding: "utf8",
  });
  return `# The command line

Made from the programs' own \`--help\`: \`PUMICE_WRITE_DOCS=1\` with \`test/docs/cli-page.test.ts\` writes it.

## pumice

${connection
  .split("\n")
  .map((line) => line.trim())
  .join("\n")}

What was mistyped or refused exits by 2. Lists print tables for people and, with \`--json\`, JSON for programs.

${sections.join("\n\n")}

## pumice-worker

\`\`\`text
${worker.trim()}
\`\`\`
`;
}

test("docs/cli.md is what the commands say of themselves", async () => {
  const file = path.join(root, "docs/cli.md");
  const text = await asPage();
  if (process.env["PUMICE_WRITE_DOCS"]) writeFileSync(file, text);
  expect(readFileSync(file, "utf8")).toBe(text);
});
