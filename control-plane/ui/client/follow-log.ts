import type { LogPage } from "#protocol/api.ts";

const WAIT_SECONDS = 20;
const MAX_PAUSE_MS = 15_000;

export interface LogFollower {
  jobId: number;
  /** 0-based line to go on from. */
  next(): number;
  /** Called in order, each before the next is asked for. */
  take(page: LogPage): Promise<void>;
  /** Resolves when more may be asked for. */
  ready(): Promise<void>;
  /** What is going on: undefined when all is well. */
  report(trouble: string | undefined): void;
}

/** Follows a job's log to its end by long poll. After an error it goes on from the line where it was. */
export async function followLog(follower: LogFollower): Promise<void> {
  let failures = 0;
  for (;;) {
    await follower.ready();
    try {
      const page = await readLogPage(follower.jobId, {
        start: follower.next(),
        wait: WAIT_SECONDS,
      });
      failures = 0;
      follower.report(undefined);
      await follower.take(page);
      if (page.complete) return;
    } catch (error) {
      if (error instanceof Refusal) return follower.report(error.message);
      failures += 1;
      follower.report("No answer from the lab; trying again");
      const pauseMs = Math.min(MAX_PAUSE_MS, 500 * 2 ** failures);
      await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.75 + Math.random() / 2)));
    }
  }
}

/** An answer that asking again will not change. */
class Refusal extends Error {}

/** A page of the log. */
export async function readLogPage(
  jobId: number,
  query: { start: number; end?: number; wait?: number },
): Promise<LogPage> {
  const text = new URLSearchParams(
    Object.entries(query).map(([name, value]) => [name, String(value)]),
  );
  const answer = await fetch(`/api/v1/jobs/${jobId}/log?${text}`, {
    signal: AbortSignal.timeout((WAIT_SECONDS + 20) * 1000),
  });
  if (answer.status === 401) throw new Refusal("Your session has ended: sign in again");
  if (answer.status === 403 || answer.status === 404)
    throw new Refusal("The log is not there any more");
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return (await answer.json()) as LogPage;
}
