import { runCommand } from "../../host/spawn.ts";
import type { JobContext } from "../../pipeline/action.ts";

/** QEMU's own: a filter of system calls, under which it can start no program. */
const SANDBOX = ["-sandbox", "on,spawn=deny"];

/**
 * What a guest's command line begins with, so that a job can't have QEMU run programs of its choice on the worker
 * (`-netdev bridge,helper=...`, `guestfwd=...-cmd:...`): a job says a good part of that line. Behind its words, one of them that
 * wants a value could take ours as that. Nothing where QEMU was built without it, or where the worker's setting `qemu_may_spawn`
 * allows programs, which networks of kind tap and bridge need.
 */
export async function qemuSandbox(
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
