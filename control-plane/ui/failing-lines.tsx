import { raw } from "hono/html";
import type { JobView, LogPage } from "#protocol/api.ts";
import { isConsole, levelOf, lineText, messageText } from "#protocol/log-text.ts";
import type { Deps } from "../domain/deps.ts";
import { readLog } from "../domain/job-log.ts";
import type { Principal } from "../domain/principal.ts";
import { ansiHtml, plainHtml } from "./ansi.ts";
import { failureOf } from "./failure-sentence.ts";
import { lineAddress } from "./line-address.ts";
import type { Timeline } from "./timeline.ts";

/** A line of the log with its number from 0; `shows`: it is the one that tells the failure. */
export interface FailingLine {
  line: number;
  record: LogPage["records"][number];
  shows: boolean;
}

const READ_BEFORE = 60;
const BEFORE = 5;
const AFTER = 2;
const MOST_CHARS = 400;
/** What a runner says of its own work, and hardly ever why it failed. */
const QUIET = new Set(["debug", "results", "event"]);
const ERRORS = new Set(["error", "exception"]);

/** The lines of the log that show why a job failed, with a few around them; none for a job that didn't, or that has no log. */
export async function readFailingLines(
  deps: Deps,
  principal: Principal,
  job: JobView,
  timeline: Timeline,
): Promise<FailingLine[]> {
  const at = failureOf(job, timeline)?.line;
  if (at === undefined || at >= job.log_lines) return [];
  const start = Math.max(0, at - READ_BEFORE);
  const range = { start, end: at + AFTER + 1, attempt: job.attempt ?? 1 };
  const { records } = await readLog(deps, principal, job.id, range);
  const lines = records.map((record, n) => ({ line: start + n, record }));
  return tellingLines(lines, at, job.error_msg?.trim() || undefined);
}

type Line = Omit<FailingLine, "shows">;

/** Those that tell something, around the one at `at`. Errors that only repeat what the notice says, or one another, do not. */
function tellingLines(lines: Line[], at: number, message: string | undefined): FailingLine[] {
  const told = new Set<string>();
  const isTelling = ({ line, record }: Line): boolean => {
    const text = messageText(record["msg"]).trim();
    if (line === at) return !isStep(text);
    if (QUIET.has(levelOf(record)) || text === "" || isStep(text)) return false;
    if (!ERRORS.has(levelOf(record))) return true;
    const isTold = told.has(text) || (message !== undefined && text.includes(message));
    told.add(text);
    return !isTold;
  };
  const telling = lines.filter(isTelling);
  const before = telling.filter(({ line }) => line < at).slice(-BEFORE);
  const after = telling.filter(({ line }) => line >= at);
  return [...before, ...after].map((one) => ({ ...one, shows: one.line === at }));
}

/** That an action began or ended. */
const isStep = (text: string): boolean => /^(start|end): \d/.test(text);

/** They, each with its number as a link to its place in the log. */
export const FailingLines = ({ job, lines }: { job: JobView; lines: FailingLine[] }) => (
  <ol class="failing-lines" aria-label="Lines of the log that show it">
    {lines.map(({ line, record, shows }) => (
      <li class={`${levelOf(record)}${shows ? " shows" : ""}`}>
        <a href={lineAddress(line, job)} aria-label={`Line ${line + 1}`}>
          {line + 1}
        </a>
        <span>{raw(messageHtml(record))}</span>
      </li>
    ))}
  </ol>
);

function messageHtml(record: FailingLine["record"]): string {
  const isOfDut = isConsole(levelOf(record));
  const whole = isOfDut ? messageText(record["msg"]) : lineText(record);
  const text = whole.length > MOST_CHARS ? `${whole.slice(0, MOST_CHARS)} ...` : whole;
  return isOfDut ? ansiHtml(text) : plainHtml(text);
}
