import type { Transport } from "../../console/transport.ts";
import { processTransport } from "../../drivers/process-transport.ts";
import { runCommand } from "../../host/spawn.ts";
import type { JobContext, RunContext } from "../../pipeline/action.ts";

/** QEMU's own: a filter of system calls, under which it can start no program. */
const SANDBOX = ["-sandbox", "on,spawn=deny"];

/** Starts QEMU on the worker with these words of its command line, most of which are the job's. */
export async function startQemu(
  { job, log, signal }: RunContext,
  program: string,
  words: readonly string[],
): Promise<Transport> {
  const sandbox = await qemuSandbox(program, job, signal);
  const command: [string, ...string[]] = [program, ...sandbox, ...words];
  log.debug(`Calling: ${JSON.stringify(command)}`);
  const transport = await processTransport(command, { cwd: job.scratch });
  transport.onEnd((why) => {
    if (!why.endsWith("SIGSYS")) return;
    log.warning(
      "QEMU wanted to start a program, as networks of kind tap (without script=no,downscript=no) and bridge do: on this worker it may not, unless its setting qemu_may_spawn is true",
    );
  });
  return transport;
}

/**
 * What a guest's command line begins with, so that a job can't have QEMU run programs of its choice on the worker
 * (`-netdev bridge,helper=...`, `guestfwd=...-cmd:...`): a job says a good part of that line. Behind its words, one of them that
 * wants a value could take ours as that. Nothing where QEMU was built without it, or where the worker's setting `qemu_may_spawn`
 * allows programs, which networks of kind tap and bridge need.
 */
async function qemuSandbox(
  program: string,
  { dispatcher }: Pick<JobContext, "dispatcher">,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (dispatcher["qemu_may_spawn"] === true) return [];
  return (await hasSandbox(program, signal)) ? SANDBOX : [];
}

async function hasSandbox(program: string, signal: AbortSignal): Promise<boolean> {
  const { output } = await runCommand([program, "--help"], { signal });
  return /^-sandbox on/m.test(output);
}
