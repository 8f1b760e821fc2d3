import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

/**
 * Puts a shell script in place of a tool whose hardware can't be had: it has to check its arguments and to end as the real
 * tool does. Returns what reads its calls, a line each.
 */
export function standIn(folder: string, name: string, script: string): () => string {
  const tools = path.join(folder, "tools");
  const calls = path.join(folder, `${name}.calls`);
  mkdirSync(tools, { recursive: true });
  const text = `#!/bin/sh\necho "$*" >> ${calls}\n${script}\n`;
  writeFileSync(path.join(tools, name), text, { mode: 0o755 });
  return () => (existsSync(calls) ? readFileSync(calls, "utf8") : "");
}

/** Runs something with the folder's stand-ins first on the PATH. */
export async function useTools<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const { PATH } = process.env;
  process.env["PATH"] = `${path.join(folder, "tools")}:${PATH}`;
  try {
    return await work();
  } finally {
    process.env["PATH"] = PATH;
  }
}
