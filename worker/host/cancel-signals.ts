import { JobFailure } from "../pipeline/job-failure.ts";

/**
 * This process's signals as the two ways to stop a job (DISPATCHER.md 4). An error that nobody caught stops
 * it as well, as a `Bug`: the job still cleans up and leaves its last records.
 */
export function cancelSignals(): { cancel: AbortSignal; cancelAgain: AbortSignal } {
  const first = new AbortController();
  const second = new AbortController();
  const stop = (failure: JobFailure, again: JobFailure): void =>
    first.signal.aborted ? second.abort(again) : first.abort(failure);
  for (const name of ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR2"] as const) {
    process.on(name, () => stop(canceled(""), canceled(" again (too long to cancel)")));
  }
  for (const event of ["uncaughtException", "unhandledRejection"] as const) {
    process.on(event, (error: unknown) => {
      const failure = JobFailure.from(error);
      stop(failure, failure);
    });
  }
  return { cancel: first.signal, cancelAgain: second.signal };
}

const canceled = (again: string): JobFailure =>
  new JobFailure("Canceled", `The job was canceled${again}`);
