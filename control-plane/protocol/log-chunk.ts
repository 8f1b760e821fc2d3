/** Limits of one chunk of a log: bounded for a small board's memory and for one item of the table. */
export const MAX_CHUNK_RECORDS = 10_000;
export const MAX_CHUNK_BYTES = 4 * 1024 * 1024;
/** Unpacked. No worker of ours writes as much. */
export const MAX_CHUNK_TEXT_BYTES = 16 * 1024 * 1024;

/**
 * The record of one line of a chunk's text. A line that is missing or no record gives one that says so, with the time
 * `dt`, so that the lines after it keep their numbers.
 */
export function readLogLine(line: string | undefined, dt: string): Record<string, unknown> {
  try {
    const record: unknown = JSON.parse(line ?? "");
    if (typeof record === "object" && record !== null && !Array.isArray(record)) {
      return record as Record<string, unknown>;
    }
  } catch {
    // Said below.
  }
  const msg = "Pumice: this line of the log is damaged and cannot be shown";
  return { dt, lvl: "error", msg };
}
