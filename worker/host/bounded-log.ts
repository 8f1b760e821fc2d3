import type { LogLevel, LogRecord } from "#protocol/log-record.ts";
import { sizeOfLog } from "./log-segments.ts";
import { megabytesOf } from "./megabytes.ts";
import type { Spool } from "./spool.ts";

export interface LogLimits {
  /** Of the whole log of a job. */
  readonly logBytes: number;
  /** Of what is on the disk at one time: what waits to be delivered. */
  readonly spoolBytes: number;
}

export interface BoundedLog {
  /** Writes a record, or leaves it out; its number in the log, or that of the record that stands in its place. */
  append(line: string, record: LogRecord): number;
  /** Says what was left out at the end. */
  end(): void;
}

const MEGABYTE = 1_000_000;
const DEFAULT_LOG_MB = 1000;
const DEFAULT_SPOOL_MB = 250;

/** As this worker has them set (docs/worker-faults.md). */
export const logLimits = (env: NodeJS.ProcessEnv = process.env): LogLimits => ({
  logBytes: (megabytesOf(env["PUMICE_LOG_MB"]) ?? DEFAULT_LOG_MB) * MEGABYTE,
  spoolBytes: (megabytesOf(env["PUMICE_SPOOL_MB"]) ?? DEFAULT_SPOOL_MB) * MEGABYTE,
});

/** What a DUT, or a program about it, says as often as it likes: the first to be left out. */
const OUTPUT: ReadonlySet<LogLevel> = new Set(["target", "feedback", "input", "debug"]);
/** Of a log's size, for output; the rest is for what the job itself has to say. */
const OUTPUT_SHARE = 0.95;
/** How much is left out between two looks whether there is room again. */
const LOOK_RECORDS = 256;
/**
 * A job's log that grows to its limits and no further, however much its DUT says, and whether or not anybody fetches it
 * from the disk. What is left out is so for a record that says how much and why; the job's own results are never.
 */
export function boundedLog(spool: Spool, log: string, limits: LogLimits): BoundedLog {
  let lines = 0;
  let bytes = 0;
  let sizeThen = 0;
  let bytesThen = 0;
  let left: { count: number; chars: number; why: string; dt: string } | undefined;

  /** The agent may have removed something since the last look. */
  const isSpoolFull = (): boolean => {
    if (sizeThen + bytes - bytesThen < limits.spoolBytes) return false;
    if (left && left.count % LOOK_RECORDS > 0) return true;
    sizeThen = sizeOfLog(log);
    bytesThen = bytes;
    return sizeThen >= limits.spoolBytes;
  };
  const whyNot = (record: LogRecord): string | undefined => {
    const isOutput = OUTPUT.has(record.lvl);
    if (isOfJob(record)) return undefined;
    if (spool.isFull && record.lvl === "target") return "the worker's disk is full";
    if (bytes > limits.logBytes * (isOutput ? OUTPUT_SHARE : 1)) {
      return `the log of a job may have ${megabytes(limits.logBytes)} (PUMICE_LOG_MB of the worker)`;
    }
    if (isOutput && isSpoolFull()) {
      return `${megabytes(limits.spoolBytes)} of it wait to be delivered already (PUMICE_SPOOL_MB of the worker)`;
    }
    return undefined;
  };
  const leaveOut = (line: string, { dt }: LogRecord, why: string): number => {
    left ??= { count: 0, chars: 0, why, dt };
    left.count += 1;
    left.chars += line.length;
    return lines;
  };
  const write = (line: string): boolean => {
    if (!spool.append(line)) return false;
    bytes += line.length + 1;
    lines += 1;
    return true;
  };
  const end = (): void => {
    if (!left) return;
    const { count, chars, why, dt } = left;
    const msg = `Pumice: ${count} records (${megabytes(chars)}) were left out of the log behind line ${lines - 1}: ${why}`;
    if (write(JSON.stringify({ dt, lvl: "warning", msg }))) left = undefined;
  };
  return {
    append: (line, record) => {
      const why = whyNot(record);
      if (why !== undefined) return leaveOut(line, record, why);
      end();
      if (left || !write(line)) return leaveOut(line, record, "the worker's disk is full");
      return lines - 1;
    },
    end,
  };
}

/** Results of the job's own actions, the last of which says how it ended. */
const isOfJob = ({ lvl, msg }: LogRecord): boolean =>
  lvl === "results" && (msg as { definition?: unknown }).definition === "lava";

const megabytes = (bytes: number): string => `${Number((bytes / MEGABYTE).toFixed(1))} MB`;
