import type { JobView, LogPage, ResultList } from "#protocol/api.ts";
import type { Client } from "./client.ts";
import type { Context } from "./command.ts";
import { logText } from "./log-text.ts";
import { printable } from "./printable.ts";
import { resultTable } from "./results-table.ts";
import { coloured } from "./terminal.ts";

const WAIT_SECONDS = 20;

/** Prints a job's log as it comes until the job is Finished, or once what there is. */
export async function printLog(
  context: Context,
  id: number,
  { follow, print }: { follow: boolean; print: (record: LogPage["records"][number]) => void },
): Promise<void> {
  const client = context.client(follow ? "patient" : undefined);
  let waitsFor = "";
  for (let start = 0; ;) {
    const wait = follow && start > 0 ? `&wait=${WAIT_SECONDS}` : "";
    const page = await client.json<LogPage>("GET", `/jobs/${id}/log?start=${start}${wait}`);
    for (const record of page.records) print(record);
    const isEnd = page.complete || (!follow && page.records.length === 0);
    if (isEnd) return;
    if (follow && page.next === 0) waitsFor = await tellWaiting(context, client, id, waitsFor);
    start = page.next;
  }
}

/** Says on standard error what a job without a log waits for, when that changed; waits for a first line. */
async function tellWaiting(
  context: Context,
  client: Client,
  id: number,
  said: string,
): Promise<string> {
  const job = await client.json<JobView>("GET", `/jobs/${id}`);
  const more = job.waits_for ? `: ${job.waits_for}` : job.device ? ` on ${job.device}` : "";
  const now = `${job.state}${more}`;
  if (now !== said) context.terminal.say(`Job ${id} is ${printable(now)}`);
  await client.json("GET", `/jobs/${id}/log?start=0&wait=${job.waits_for ? 5 : 1}`);
  return now;
}

/** Follows a job to its end, prints its results, and gives the exit code of its health. */
export async function watchJob(context: Context, id: number): Promise<number> {
  const { terminal } = context;
  const client = context.client("patient");
  try {
    await printLog(context, id, {
      follow: true,
      print: (record) => terminal.out(logText(terminal, record)),
    });
  } catch (error) {
    if (!context.signal.aborted) throw error;
    terminal.say(
      `\nStopped watching; job ${id} goes on. Watch it again: pumice watch ${id}. Cancel it: pumice cancel ${id}`,
    );
    return 130;
  }
  const job = await client.json<JobView>("GET", `/jobs/${id}`);
  const { results } = await client.json<ResultList>("GET", `/jobs/${id}/results`);
  if (results.length > 0) terminal.out(`\n${resultTable(terminal, results)}\n`);
  const colour = job.health === "Complete" ? "green" : "red";
  const why = job.error_msg ? `: ${job.error_type ?? ""}: ${job.error_msg}` : "";
  terminal.say(`Job ${id} is ${coloured(terminal, colour, job.health)}${printable(why)}`);
  return exitCodeOf(job);
}

/** 0 Complete, 1 Incomplete, 3 Canceled; 2 is for what was refused or mistyped. */
function exitCodeOf({ health }: JobView): number {
  return health === "Complete" ? 0 : health === "Canceled" ? 3 : 1;
}
