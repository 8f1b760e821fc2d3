import { raw } from "hono/html";
import type { JobView, LogPage } from "#protocol/api.ts";
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

/** The lines of the log that show why a job failed, with a few around them; none for a job that didn't, or that has no log. */
export async function readFailingLines(
  deps: Deps,
  principal: Principal,
  job: JobView,
  timeline: Timeline,
): Promise<FailingLine[]> {
  const at = failureOf(job, timeline)?.line;
  if (at === undefined || job.log_removed || at >= job.log_lines) return [];
  const start = Math.max(0, at - READ_BEFORE);
  const range = { start, end: at + AFTER + 1, attempt: job.attempt ?? 1 };
  const { records } = await readLog(deps, principal, job.id, range);
  const lines = records.map((record, n) => ({
    line: start + n,
    record,
    shows: start + n === at,
  }));
  const isTelling = ({ record, shows }: FailingLine): boolean =>
    shows ||
    (!QUIET.has(String(record["lvl"])) &&
      textOf(record).trim() !== "" &&
      !/^(start|end): \d/.test(textOf(record)));
  const before = lines.filter((one) => one.line < at && isTelling(one)).slice(-BEFORE);
  return [...before, ...lines.filter((one) => one.line >= at && isTelling(one))];
}

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

const LEVELS = new Set(["error", "exception", "warning", "target", "feedback", "input", "info"]);

const levelOf = ({ lvl }: FailingLine["record"]): string =>
  typeof lvl === "string" && LEVELS.has(lvl) ? lvl : "info";

const textOf = ({ msg }: FailingLine["record"]): string =>
  typeof msg === "string" ? msg : (JSON.stringify(msg) ?? "");

function messageHtml(record: FailingLine["record"]): string {
  const whole = textOf(record);
  const text = whole.length > MOST_CHARS ? `${whole.slice(0, MOST_CHARS)} ...` : whole;
  const level = levelOf(record);
  return level === "target" || level === "feedback" ? ansiHtml(text) : plainHtml(text);
}
