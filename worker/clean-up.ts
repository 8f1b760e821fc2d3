import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import path from "node:path";
import type { Ticket } from "#protocol/worker-api.ts";
import { finalize } from "./actions/finalize.ts";
import { removeJobContainers } from "./drivers/container-leftovers.ts";
import { jobDirectoryAt, tftpRoot } from "./host/job-directory.ts";
import { changeEnvironment } from "./host/job-environment.ts";
import { removeTree } from "./host/remove-tree.ts";
import { lastSegment } from "./host/log-segments.ts";
import { openSpool, type Spool } from "./host/spool.ts";
import { environmentOf, readTicket } from "./job-context.ts";
import type { JobContext } from "./pipeline/action.ts";
import { JobFailure } from "./pipeline/job-failure.ts";
import { planJob } from "./pipeline/plan.ts";
import { makeRecorder, type Recorder } from "./pipeline/recorder.ts";
import { runAction, startRun } from "./pipeline/run-plan.ts";
import { secretsOf } from "./run-ticket.ts";
import { folderName } from "./services/tftp-folder.ts";

/** All of it may take this long, as after any job (DISPATCHER.md 2). */
const LONGEST_SECONDS = 300;

/**
 * Switches off what a job left on whose runner was killed, of a machine without power too: the DUT by its `power_off`,
 * containers, folders on TFTP and NFS servers. What it does is appended to the job's log. 0 when all of it worked, else 1.
 */
export async function cleanUpJobDirectory(folder: string): Promise<number> {
  const files = jobDirectoryAt(path.resolve(folder));
  const job = readJob(readFileSync(files.ticket, "utf8"), files.scratch);
  // What can't be read no runner could run either.
  if (!job) return 0;
  const spool = openLog(files.log);
  const recorder = makeRecorder({
    sink: (line) => void spool.append(line),
    secrets: [...job.given, ...secretsOf(job)],
  });
  const signal = AbortSignal.timeout(LONGEST_SECONDS * 1000);
  recorder.warning("the runner of this job was killed: its device is switched off now");
  let failed = 0;
  try {
    const steps = [
      () => switchOff(job, recorder, signal),
      () => removeJobContainers(files.scratch, recorder.info),
      () => removeFolders({ ...job, tftpRoot: tftpRoot(path.resolve(files.root, "../..")) }),
    ];
    for (const step of steps) {
      await step().catch((error: unknown) => {
        failed += 1;
        recorder.error(`Failed to clean after a killed runner: ${JobFailure.from(error).message}`);
      });
    }
  } finally {
    recorder.close();
    await spool.close(signal);
  }
  return failed > 0 ? 1 : 0;
}

/** A disk that takes no log (read-only, broken) must not keep the device on. */
function openLog(log: string): Spool {
  try {
    return openSpool(lastSegment(log).file);
  } catch {
    return { isFull: true, append: () => false, close: async () => {} };
  }
}

function readJob(text: string, scratch: string): (JobContext & { given: string[] }) | undefined {
  try {
    const ticket = JSON.parse(text) as Ticket;
    const given = [ticket.token, ...(ticket.secrets ?? [])];
    // As the job's own programs had it: they may need it to reach the device's power.
    changeEnvironment(process.env, environmentOf(ticket.env ?? "", "env"));
    return { ...readTicket(ticket, scratch), given };
  } catch {
    return undefined;
  }
}

/** As every job ends (DISPATCHER.md 4), of which only the power is still there to be given back. */
async function switchOff(job: JobContext, recorder: Recorder, signal: AbortSignal): Promise<void> {
  const definition = { ...job.definition, actions: [] };
  const [last] = planJob({ ...job, definition }, [], finalize([]));
  if (!last) return;
  await runAction(startRun(job, recorder), last, { signal, atMs: Infinity });
}

/** Those that aren't in the job's own folder. */
async function removeFolders(job: JobContext): Promise<void> {
  const { dispatcher, tftpRoot: root } = job;
  const name = folderName(job);
  if (root) await rm(path.join(root, name), { force: true });
  for (const setting of [dispatcher["tftp_dir"], dispatcher["nfs_root"]]) {
    if (typeof setting === "string" && path.isAbsolute(setting)) {
      await removeTree(path.join(setting, name));
    }
  }
}
