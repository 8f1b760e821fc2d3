import type { LogChunkList, LogPage } from "#protocol/api.ts";
import { pause } from "./console-api.ts";
import { createLogReader, type LogQuery, type LogReader } from "../../log-reader.ts";

const WAIT_SECONDS = 20;
const MAX_PAUSE_MS = 15_000;

export interface LogFollower {
  /** 0-based line to go on from. */
  next(): number;
  /** Called in order, each before the next is asked for. */
  take(page: LogPage): Promise<void>;
  /** Whether more is wanted at the moment. */
  isReady(): boolean;
  /** Resolves when more may be asked for. */
  ready(): Promise<void>;
  /** What is going on: undefined when all is well. */
  report(trouble: string | undefined): void;
}

/** Follows a job's log to its end. After an error it goes on from the line where it was. */
export async function followLog(reader: LogReader, follower: LogFollower): Promise<void> {
  let failures = 0;
  for (;;) {
    await follower.ready();
    let pauseMs = 0;
    try {
      const query = { start: follower.next(), wait: WAIT_SECONDS };
      for await (const page of reader.read(query)) {
        failures = 0;
        follower.report(undefined);
        await follower.take(page);
        if (page.complete) return;
        pauseMs = 1000 * (page.poll_seconds ?? 0);
        if (!follower.isReady()) break;
      }
    } catch (error) {
      if (error instanceof Refusal) return follower.report(error.message);
      failures += 1;
      follower.report("No answer from the lab; trying again");
      pauseMs = Math.min(MAX_PAUSE_MS, 500 * 2 ** failures) * (0.75 + Math.random() / 2);
    }
    if (pauseMs > 0) await pause(pauseMs);
  }
}

/** The lines from `start` up to `end`, or fewer from `start` on when not all can be read. */
export async function readRange(
  reader: LogReader,
  start: number,
  end: number,
): Promise<LogPage["records"]> {
  const records: LogPage["records"] = [];
  for (let isMore = true; isMore && start + records.length < end;) {
    isMore = false;
    for await (const page of reader.read({ start: start + records.length, end })) {
      records.push(...page.records);
      isMore ||= page.records.length > 0;
    }
  }
  return records;
}

/** A reader of the log of an attempt of one of this lab's jobs. */
export const logReaderOf = (jobId: number, attempt: number): LogReader =>
  createLogReader({
    url: location.origin,
    async chunks(query) {
      const answer = await ask(`/api/v1/jobs/${jobId}/log-chunks`, { ...query, attempt });
      // A version of the lab before this page's.
      if (answer.status === 405) return undefined;
      return (await requireGood(answer).json()) as LogChunkList;
    },
    async page(query) {
      const answer = await ask(`/api/v1/jobs/${jobId}/log`, { ...query, attempt });
      return (await requireGood(answer).json()) as LogPage;
    },
  });

/** An answer that asking again will not change. */
class Refusal extends Error {}

function ask(path: string, query: LogQuery & { attempt: number }): Promise<Response> {
  const text = new URLSearchParams(
    Object.entries(query).map(([name, value]) => [name, String(value)]),
  );
  return fetch(`${path}?${text}`, { signal: AbortSignal.timeout((WAIT_SECONDS + 20) * 1000) });
}

function requireGood(answer: Response): Response {
  if (answer.status === 401) throw new Refusal("Your session has ended: sign in again");
  if (answer.status === 403 || answer.status === 404)
    throw new Refusal("The log is not there any more");
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer;
}
