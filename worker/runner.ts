import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Ticket } from "#protocol/worker-api.ts";
import { cacheFolder } from "./cache/cache-settings.ts";
import { writeFileAtomic } from "./host/atomic-file.ts";
import { jobDirectoryAt, tftpRoot } from "./host/job-directory.ts";
import { groupOfJob } from "./host/group-of-job.ts";
import { boundedLog, logLimits } from "./host/bounded-log.ts";
import { cancelSignals } from "./host/cancel-signals.ts";
import { beat, touchBeat } from "./host/runner-beat.ts";
import { openSpool } from "./host/spool.ts";
import { onceThereIsRoom, reserveRoom, stopWhenFull } from "./disk-full.ts";
import { runTicket } from "./run-ticket.ts";

/** Of which the delivered ones may be removed while the job runs. */
const SEGMENT_BYTES = 4 * 1024 * 1024;

/**
 * Runs the job of a job directory (job-directory.ts) whose ticket is there, and leaves its log and
 * `result.json`. SIGTERM cancels; a second one doesn't wait for the cleaning up. 0 when the job passed,
 * else 1.
 */
export async function runJobDirectory(folder: string): Promise<number> {
  const files = jobDirectoryAt(path.resolve(folder));
  const ticket = JSON.parse(readFileSync(files.ticket, "utf8")) as Ticket;
  const workDir = path.resolve(files.root, "../..");
  const endBeat = beat(files.beat);
  const { signals, onFull } = stopWhenFull(cancelSignals(), workDir);
  const reserve = reserveRoom(files.reserve);
  const spool = openSpool(files.log, {
    segmentBytes: SEGMENT_BYTES,
    onMuch: () => touchBeat(files.beat),
    onFull: (error) => {
      reserve.release();
      onFull(error);
    },
  });
  const log = boundedLog(spool, files.log, logLimits());
  enter(files.scratch);
  const way = groupOfJob(ticket);
  const result = await runTicket(ticket, {
    scratch: files.scratch,
    tftpRoot: tftpRoot(workDir),
    cacheFolder: cacheFolder(workDir),
    consoleSocket: files.console,
    group: way?.group,
    sink: (line, record) => log.append(line, record),
    signals,
    environment: process.env,
  });
  way?.close();
  log.end();
  await spool.close();
  reserve.release();
  await onceThereIsRoom(() => writeFileAtomic(files.result, JSON.stringify(result)));
  touchBeat(files.beat);
  endBeat();
  return result.result === "pass" ? 0 : 1;
}

/** A job's words may name files to the tools that flash: relative ones are then the job's own, never its ticket. */
function enter(scratch: string): void {
  try {
    mkdirSync(scratch, { recursive: true, mode: 0o700 });
    process.chdir(scratch);
  } catch {
    // The job will say so.
  }
}
