import { spawn } from "node:child_process";
import { once } from "node:events";

/** Runs a program to its end. @throws Error with what it said when it fails or is missing. */
export async function runProgram(
  [program, ...args]: [string, ...string[]],
  { cwd }: { cwd: string },
): Promise<void> {
  const child = spawn(program, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (said += text));
  }
  const [status] = (await once(child, "close")) as [number | null];
  if (status !== 0) throw new Error(`${program} ${args[0]} failed:\n${said.slice(-4000)}`);
}
