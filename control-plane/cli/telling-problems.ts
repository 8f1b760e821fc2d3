import { ClientError } from "./client.ts";
import type { Context } from "./command.ts";
import { printable } from "./printable.ts";

/**
 * Sends a file, and says what the control plane found wrong with it as compilers do:
 * `job.yaml:12:5: actions[0].deploy.to: ...`. Undefined when it was refused for that.
 */
export async function tellingProblems<T>(
  { terminal }: Context,
  file: string,
  send: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await send();
  } catch (error) {
    const problems = error instanceof ClientError ? error.problem?.problems : undefined;
    if (!problems || problems.length === 0) throw error;
    for (const { line, column, path, message } of problems) {
      terminal.say(printable(`${file}:${line}:${column}: ${path ? `${path}: ` : ""}${message}`));
    }
    return undefined;
  }
}
