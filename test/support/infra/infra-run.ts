import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { runInfra } from "../../../infra/run.ts";

export interface InfraRun {
  readonly code: number;
  readonly out: string;
  readonly said: string;
}

const MAIN = fileURLToPath(new URL("../../../infra/main.ts", import.meta.url));

/** The program as npm starts it, without a terminal. Its environment is `env` and nothing else. */
export function infraProgram(
  args: readonly string[],
  env: Record<string, string>,
  cwd: string,
): Promise<InfraRun> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd,
    env: { ...env, HOME: cwd, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let said = "";
  child.stdout.on("data", (part: Buffer) => (out += part.toString()));
  child.stderr.on("data", (part: Buffer) => (said += part.toString()));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? -1, out, said }));
  });
}

/** The same in this process and its environment, with a person who answers each question in turn. */
export async function askedInfra(
  args: readonly string[],
  answers: readonly string[] = [],
): Promise<InfraRun & { questions: string[] }> {
  let out = "";
  let said = "";
  const questions: string[] = [];
  const terminal = {
    out: (text: string) => void (out += `${text}\n`),
    say: (text: string) => void (said += `${text}\n`),
    useColours: false,
    ask: (question: string) => Promise.resolve(answers[questions.push(question) - 1] ?? ""),
  };
  const code = await runInfra(args, terminal, new AbortController().signal);
  return { code, out, said, questions };
}
