import { JobFailure } from "../pipeline/job-failure.ts";

/** This process's signals as the two ways to stop a job (DISPATCHER.md 4). */
export function cancelSignals(): { cancel: AbortSignal; cancelAgain: AbortSignal } {
  const first = new AbortController();
  const second = new AbortController();
  for (const name of ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR2"] as const) {
    process.on(name, () => {
      if (!first.signal.aborted) {
        first.abort(new JobFailure("Canceled", "The job was canceled"));
        return;
      }
      const again = "The job was canceled again (too long to cancel)";
      second.abort(new JobFailure("Canceled", again));
    });
  }
  return { cancel: first.signal, cancelAgain: second.signal };
}
