import type { Transport } from "../../console/transport.ts";
import { processTransport } from "../../drivers/process-transport.ts";
import { hostEnvironment, runCommand } from "../../host/spawn.ts";
import type { JobContext, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { confineQemu, removeRoot, wantedConfinement, whyUnconfined } from "./qemu-confined.ts";

/** QEMU's own: a filter of system calls, under which it can start no program. */
const SANDBOX = ["-sandbox", "on,spawn=deny"];

/** Starts QEMU on the worker with these words of its command line, most of which are the job's; confined where that can be. */
export async function startQemu(
  { job, log, signal }: RunContext,
  program: string,
  words: readonly string[],
): Promise<Transport> {
  const [sandbox, isConfined] = await Promise.all([
    qemuSandbox(program, job, signal),
    requireConfinement(job, program, signal),
  ]);
  const own = [...sandbox, ...words];
  log.debug(`Calling: ${JSON.stringify([program, ...own])}`);
  if (!isConfined.here)
    log.info(`QEMU runs with all rights of the worker's user: ${isConfined.why}`);
  const command: [string, ...string[]] = isConfined.here
    ? [...confineQemu(job, program, own)]
    : [program, ...own];
  const transport = await processTransport(command, {
    ...{ cwd: job.scratch, name: program },
    // What it can't reach it shall not hear of; its temporary files (`-snapshot`) belong to the job.
    ...(isConfined.here ? { env: guestEnvironment(job) } : {}),
  });
  transport.onEnd((why) => {
    removeRoot(job.scratch);
    if (!why.endsWith("SIGSYS")) return;
    log.warning(
      "QEMU wanted to start a program, as networks of kind tap (without script=no,downscript=no) and bridge do: on this worker it may not, unless its setting qemu_may_spawn is true",
    );
  });
  return transport;
}

type Confined = { readonly here: true } | { readonly here: false; readonly why: string };

/**
 * Whether QEMU is going to be confined on this worker.
 *
 * @throws JobFailure Infrastructure when it can't be, and the worker's setting `qemu_confinement` requires it.
 */
export async function requireConfinement(
  { dispatcher, scratch }: JobContext,
  program: string,
  signal: AbortSignal,
): Promise<Confined> {
  const wanted = wantedConfinement(dispatcher);
  if (wanted === "off") return { here: false, why: "the worker's settings say so" };
  const why = await asked(program, scratch, signal);
  if (why === undefined) return { here: true };
  if (wanted === "where it can") {
    return { here: false, why: `it can't be confined here (${why}), see pumice-worker doctor` };
  }
  throw new JobFailure(
    "Infrastructure",
    `QEMU can't be confined on this worker (${why}), and the worker's setting qemu_confinement requires it: see pumice-worker doctor`,
  );
}

const answers = new Map<string, Promise<string | undefined>>();

/** Once a process for each program. */
function asked(program: string, scratch: string, signal: AbortSignal): Promise<string | undefined> {
  const known = answers.get(program);
  if (known) return known;
  const answer = whyUnconfined(program, scratch, signal);
  answers.set(program, answer);
  answer.catch(() => answers.delete(program));
  return answer;
}

function guestEnvironment({ scratch }: JobContext): Record<string, string> {
  const all = hostEnvironment({ TMPDIR: scratch });
  const isKept = ([name]: [string, string]): boolean =>
    /^(?:PATH|LC_ALL|TMPDIR|LD_LIBRARY_PATH|QEMU_\w+)$/.test(name);
  return Object.fromEntries(Object.entries(all).filter(isKept));
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
