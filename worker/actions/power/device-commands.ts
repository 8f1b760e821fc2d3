import { shellWords } from "../../host/shell-words.ts";
import { runCommand } from "../../host/spawn.ts";
import type { RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";

/** Runs a device's command, or each of a list, on this machine. @throws JobFailure Infrastructure. */
export async function runDeviceCommands(
  { signal, log }: RunContext,
  commands: unknown,
  onFailure: string,
): Promise<void> {
  for (const command of [commands].flat().map(String)) {
    const [program = "", ...args] = shellWords(command);
    const { status } = await runCommand([program, ...args], {
      signal,
      onLine: (line) => log.debug(`>> ${line}`),
    });
    if (status !== 0) throw new JobFailure("Infrastructure", `${onFailure}: '${command}' failed`);
  }
}
