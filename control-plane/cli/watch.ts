import { setTimeout as sleep } from "node:timers/promises";
import type { JobView, LogChunkList, LogPage, ResultList } from "#protocol/api.ts";
import { placeText } from "#protocol/waits-text.ts";
import { createLogReader, type LogQuery, type LogReader } from "../log-reader.ts";
import { ClientError, type Client } from "./client.ts";
import type { Context, JobId } from "./command.ts";
import { attemptText, endRemarks } from "./job-end.ts";
import { logText } from "./log-text.ts";
import { printable } from "./printable.ts";
import { resultTable } from "./results-table.ts";
import { coloured } from "./terminal.ts";

const WAIT_SECONDS = 20;

/** How often a job that waits in the queue is looked at. */
const QUEUE_SECONDS = 5;

type Print = (record: LogPage["records"][number]) => void;

/** Prints a job's log as it comes until the job is Finished, from its current attempt on; the job as it is then. */
export async function followLog(context: Context, id: JobId, print: Print): Promise<JobView> {
  const client = context.client("patient");
  let job = await client.json<JobView>("GET", `/jobs/${id}`);
  for (;;) {
    const { attempt = 1 } = job;
    await printLog(context, id, { follow: true, attempt, print });
    job = await client.json<JobView>("GET", `/jobs/${id}`);
    if ((job.attempt ?? 1) === attempt) return job;
    const over = job.earlier_attempts?.find((earlier) => earlier.attempt === attempt);
    const why = over ? `: ${attemptText(over)}` : "";
    context.terminal.say(`Job ${id} goes back to the queue${why}`);
  }
}

/** Prints the log of a job's attempt as it comes until that is over, or once what there is. */
export async function printLog(
  context: Context,
  id: JobId,
  { follow, attempt, print }: { follow: boolean; attempt?: number | undefined; print: Print },
): Promise<void> {
  const client = context.client(follow ? "patient" : undefined);
  const reader = logReaderOf(context, client, id, attempt);
  let waiting: Waiting = { said: "", seconds: 0 };
  let wait = 0;
  for (let start = 0; ;) {
    const before = start;
    let isEnd = false;
    let pauseSeconds = 0;
    for await (const page of reader.read({ start, wait })) {
      for (const record of page.records) print(record);
      start = page.next;
      pauseSeconds = page.poll_seconds ?? 0;
      isEnd = page.complete;
    }
    if (isEnd || (!follow && start === before)) return;
    if (!follow) continue;
    if (start === 0) waiting = await tellWaiting(context, client, id, waiting.said);
    wait = start === 0 ? waiting.seconds : WAIT_SECONDS;
    if (pauseSeconds === 0) continue;
    const isQueued = start === 0 && waiting.seconds === QUEUE_SECONDS;
    const ms = 1000 * (isQueued ? QUEUE_SECONDS : pauseSeconds);
    await sleep(ms, undefined, { signal: context.signal });
  }
}

interface Waiting {
  readonly said: string;
  /** How long to wait for a first line before looking again. */
  readonly seconds: number;
}

/** Says on standard error what a job without a log waits for, when that changed. */
async function tellWaiting(
  context: Context,
  client: Client,
  id: JobId,
  said: string,
): Promise<Waiting> {
  const job = await client.json<JobView>("GET", `/jobs/${id}`);
  const more = job.waits_for ? `: ${job.waits_for}` : job.device ? ` on ${job.device}` : "";
  const place = job.waits ? placeText(job.waits, Date.now()) : "";
  // When it is expected to begin changes with every look.
  const now = `${job.state}${more}; ${job.waits?.position}`;
  const text = `${job.state}${more}${place === "" ? "" : `; ${place}`}`;
  if (now !== said) context.terminal.say(`Job ${id} is ${printable(text)}`);
  return { said: now, seconds: job.waits_for ? QUEUE_SECONDS : 1 };
}

function logReaderOf({ signal }: Context, client: Client, id: JobId, attempt?: number): LogReader {
  const of = attempt === undefined ? {} : { attempt };
  const text = (query: LogQuery) =>
    new URLSearchParams(
      Object.entries({ ...query, ...of }).map(([name, value]) => [name, String(value)]),
    );
  return createLogReader({
    url: client.url,
    signal,
    async chunks(query) {
      try {
        return await client.json<LogChunkList>("GET", `/jobs/${id}/log-chunks?${text(query)}`);
      } catch (error) {
        // A control plane of an earlier version.
        if (error instanceof ClientError && error.status === 405) return undefined;
        throw error;
      }
    },
    page: (query) => client.json<LogPage>("GET", `/jobs/${id}/log?${text(query)}`),
  });
}

/** Follows a job to its end, prints its results, and gives the exit code of its health. */
export async function watchJob(context: Context, id: JobId): Promise<number> {
  const { terminal } = context;
  const client = context.client("patient");
  let job: JobView;
  try {
    await tellGroup(context, client, id);
    job = await followLog(context, id, (record) => terminal.out(logText(terminal, record)));
  } catch (error) {
    if (!context.signal.aborted) throw error;
    terminal.say(
      `\nStopped watching; job ${id} goes on. Watch it again: pumice watch ${id}. Cancel it: pumice cancel ${id}`,
    );
    return 130;
  }
  const { results } = await client.json<ResultList>("GET", `/jobs/${id}/results`);
  if (results.length > 0) terminal.out(`\n${resultTable(terminal, results)}\n`);
  const colour = job.health === "Complete" ? "green" : "red";
  const why = job.error_msg ? `: ${job.error_type ?? ""}: ${job.error_msg}` : "";
  terminal.say(`Job ${id} is ${coloured(terminal, colour, job.health)}${printable(why)}`);
  for (const remark of endRemarks(job)) terminal.say(`  ${remark}`);
  return exitCodeOf(job);
}

/** Of a multinode group one job is followed. */
async function tellGroup({ terminal }: Context, client: Client, id: JobId): Promise<void> {
  const { id: own, members = [] } = await client.json<JobView>("GET", `/jobs/${id}`);
  const others = members.filter((member) => member.id !== own).map((member) => member.id);
  if (others.length === 0) return;
  terminal.say(
    `Job ${own} is of a multinode group with ${others.join(", ")}; this follows ${own} only. All: pumice group ${own}`,
  );
}

/** 0 Complete, 1 Incomplete, 3 Canceled; 2 is for what was refused or mistyped. */
function exitCodeOf({ health }: JobView): number {
  return health === "Complete" ? 0 : health === "Canceled" ? 3 : 1;
}
