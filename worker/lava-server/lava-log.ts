import { HttpError } from "../host/http-client.ts";
import type { AllNotes, JobNotes } from "./job-notes.ts";
import type { LavaCalls } from "./lava-calls.ts";
import { inPosts, lavaLines, linesField } from "./log-lines.ts";

/**
 * Where the lines of a log go of which nobody knows how far the server has it: it takes what comes as the next lines,
 * whatever index above its own they have.
 */
export const UNKNOWN_TAIL = 1_000_000;

/** The server said so often in a row that it can't take some lines that it is theirs to blame. */
const MOST_FAULTS = 5;

export interface LavaLog {
  /** The next line that the server expects. */
  tail(notes: JobNotes, signal: AbortSignal): Promise<number>;
  /** Sends lines from the tail on; returns the tail after them. Throws `HttpError`. */
  send(notes: JobNotes, text: string, signal: AbortSignal): Promise<number>;
}

/**
 * Brings lines to a LAVA server once each, as far as that can be known: it would count a result twice that came twice (API.md 1.6). How far
 * it was acknowledged is on the disk; what was under way when a connection broke is looked for in the job's public log. Where that
 * is not to be seen it is sent again, as the stock worker does.
 */
export function lavaLog(calls: LavaCalls, notes: AllNotes): LavaLog {
  const faults = new Map<number, number>();

  async function tail(job: JobNotes, signal: AbortSignal): Promise<number> {
    if (job.lines === undefined) {
      job.lines = (await calls.linesFrom(job.id, 0, signal)) ?? UNKNOWN_TAIL;
      notes.save(job);
    }
    if (job.sending !== undefined) {
      const { lines, sending } = job;
      const arrived =
        lines < UNKNOWN_TAIL ? ((await calls.linesFrom(job.id, lines, signal)) ?? 0) : 0;
      job.lines += Math.min(arrived, sending);
      delete job.sending;
      notes.save(job);
    }
    return job.lines;
  }

  async function post(job: JobNotes, lines: string[], signal: AbortSignal): Promise<void> {
    const from = job.lines ?? 0;
    job.sending = lines.length;
    notes.save(job);
    try {
      const count = await calls.logs(job, from, linesField(lines), signal);
      if (count !== lines.length) {
        throw new Error(`the LAVA server took ${count} lines of ${lines.length}`);
      }
      faults.delete(job.id);
    } catch (error) {
      const status = error instanceof HttpError ? error.status : 0;
      // What it refuses it has not read.
      if (status >= 400 && status < 500) delete job.sending;
      if (status === 500) throw contentFault(job.id, error as HttpError);
      throw error;
    }
    job.lines = from + lines.length;
    delete job.sending;
    notes.save(job);
  }

  /** A server that can't read a line says so as one that is broken does. */
  function contentFault(id: number, error: HttpError): HttpError {
    const count = (faults.get(id) ?? 0) + 1;
    faults.set(id, count);
    return count < MOST_FAULTS ? error : new HttpError(error.message, { status: 422 }, error);
  }

  return {
    tail,
    async send(job, text, signal) {
      for (const lines of inPosts(lavaLines(text))) await post(job, lines, signal);
      return job.lines ?? 0;
    },
  };
}
