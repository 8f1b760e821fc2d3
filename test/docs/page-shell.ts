import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";

/** A call of one of our programs by the shell. */
export interface Call {
  readonly program: string;
  readonly words: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly folder: string;
  readonly input: string;
}

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly said: string;
}

/** A line of a page, and where it stands. */
export interface Line {
  readonly where: string;
  readonly text: string;
}

/** Hands its words, environment, folder and input to the test, and ends as that says. */
const STAND_IN = `#!/bin/sh
call=$(mktemp -d "$PUMICE_CALLS/XXXXXX")
printf '%s\\0' "$(basename "$0")" "$PWD" "$@" > "$call/words"
env -0 > "$call/env"
cat > "$call/in"
code=$(/usr/bin/curl -sS --noproxy '*' "$PUMICE_CALLS_URL$(basename "$call")")
cat "$call/out"
cat "$call/said" >&2
exit "$code"
`;

/**
 * Runs lines of a page by a real shell, one after the other, in `folder`. Programs of ours (`names`, also below
 * `scripts/`) are run by `answer` in this process. Answers what went wrong, each with its place.
 */
export async function runLines(
  lines: readonly Line[],
  folder: string,
  env: NodeJS.ProcessEnv,
  names: readonly string[],
  answer: (call: Call) => Promise<Ended>,
): Promise<string[]> {
  const calls = path.join(folder, ".calls");
  for (const one of [calls, path.join(folder, "bin"), path.join(folder, "scripts")])
    mkdirSync(one, { recursive: true });
  for (const file of names.flatMap((name) => [`bin/${name}`, `scripts/${name}`])) {
    writeFileSync(path.join(folder, file), STAND_IN);
    chmodSync(path.join(folder, file), 0o755);
  }
  const textsOf = (name: string, file: string): string[] =>
    readFileSync(path.join(calls, name, file), "utf8")
      .split("\0")
      .slice(0, -1);
  const server = createServer((request, response) => {
    const name = path.basename(request.url ?? "");
    const [program = "", from = "", ...words] = textsOf(name, "words");
    const pairs = textsOf(name, "env").map((pair): [string, string] => {
      const at = pair.indexOf("=");
      return [pair.slice(0, at), pair.slice(at + 1)];
    });
    const input = readFileSync(path.join(calls, name, "in"), "utf8");
    const call = { program, words, env: Object.fromEntries(pairs), folder: from, input };
    const end = ({ code, out, said }: Ended) => {
      writeFileSync(path.join(calls, name, "out"), out);
      writeFileSync(path.join(calls, name, "said"), said);
      response.end(String(code));
    };
    answer(call).then(end, (error: unknown) => end({ code: 99, out: "", said: String(error) }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    return await shell(lines, folder, {
      ...env,
      PATH: `${path.join(folder, "bin")}:${process.env["PATH"]}`,
      HOME: folder,
      PUMICE_CALLS: calls,
      PUMICE_CALLS_URL: `http://127.0.0.1:${port}/`,
    });
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

/** A failed command of a line is told on a channel of its own; the lines below it go on. */
async function shell(
  lines: readonly Line[],
  folder: string,
  env: NodeJS.ProcessEnv,
): Promise<string[]> {
  const script = [
    `failed() { printf '%s: %s: exit %s\\n' "$AT" "$2" "$1" >&3; echo "^ $AT" >&2; }`,
    `trap 'failed "$?" "$BASH_COMMAND"' ERR`,
    "set -o pipefail",
  ];
  for (const { where, text } of lines) script.push(`AT=${where}`, text);
  const file = path.join(folder, ".page.sh");
  writeFileSync(file, `${script.join("\n")}\n`);
  const child = spawn("bash", [file], {
    cwd: folder,
    env,
    stdio: ["ignore", "ignore", "pipe", "pipe"],
  });
  let said = "";
  let wrong = "";
  child.stderr!.on("data", (data: Buffer) => (said += data.toString()));
  child.stdio[3]!.on("data", (data: Buffer) => (wrong += data.toString()));
  await once(child, "close");
  if (wrong === "" && !/\.page\.sh: line \d+:/.test(said)) return [];
  return [...wrong.trim().split("\n"), said.trim()];
}

/** The commands of a block: each with its continuation, without empty lines and those that are only a comment. */
export function linesOf(where: string, text: string): Line[] {
  const [, page = "", first = "0"] = /^(.*):(\d+)$/.exec(where) ?? [];
  const lines: Line[] = [];
  let open = "";
  for (const [n, line] of text.split("\n").entries()) {
    if (open === "" && /^\s*(#|$)/.test(line)) continue;
    open += line;
    if (line.endsWith("\\")) {
      open += "\n";
      continue;
    }
    const at = n + 1 - (open.split("\n").length - 1);
    lines.push({ where: `${page}:${Number(first) + at}`, text: open });
    open = "";
  }
  return lines;
}
