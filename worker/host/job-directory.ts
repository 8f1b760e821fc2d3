import path from "node:path";

/**
 * The files that agent and runner share, one folder per job: `WORK/jobs/ID/`. The agent writes the
 * ticket and starts the runner; the runner writes the rest; either may be killed and come back.
 */
export interface JobDirectory {
  readonly root: string;
  /** Written by the agent before the runner starts: `Ticket` as JSON, mode 0600. */
  readonly ticket: string;
  /** Written by the runner's process before all else: `claimRunner` (called by main.ts) makes it the only one. */
  readonly runner: string;
  /**
   * Appended by the runner: one log record a line; a line without its newline is not yet a record. A long one goes on in
   * other files (log-segments.ts).
   */
  readonly log: string;
  /** Written by the runner at its end, by rename: `RunnerResult` as JSON. Its presence says "finished". */
  readonly result: string;
  /** The runner's standard output and error: nothing, unless it breaks. Cut by the agent when it grows. */
  readonly output: string;
  /** Made and removed by the runner: takes room that the job's last words have then, should the disk be full. */
  readonly reserve: string;
  /** Made by the agent, and touched by the runner as long as it comes to its events and when there is something to see (runner-beat.ts). */
  readonly beat: string;
  /** Made by the runner while the job waits and a person may take its console (person-desk.ts): a Unix socket. */
  readonly console: string;
  /** The runner's own files (downloads, overlay); the runner removes it at its end. */
  readonly scratch: string;
}

export const jobDirectory = (workDir: string, jobId: number): JobDirectory =>
  jobDirectoryAt(path.join(workDir, "jobs", String(jobId)));

/** The folder that the agent's TFTP server serves: each job's runner links its own folder into it. */
export const tftpRoot = (workDir: string): string => path.join(workDir, "tftp");

/** The same files, by the folder that a runner is given. */
export function jobDirectoryAt(root: string): JobDirectory {
  return {
    root,
    ticket: path.join(root, "ticket.json"),
    runner: path.join(root, "runner.json"),
    log: path.join(root, "log.jsonl"),
    result: path.join(root, "result.json"),
    output: path.join(root, "runner.out"),
    reserve: path.join(root, "reserve"),
    beat: path.join(root, "beat"),
    console: path.join(root, "console.sock"),
    scratch: path.join(root, "scratch"),
  };
}
