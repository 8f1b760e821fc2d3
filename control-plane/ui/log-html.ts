import type { LogPage } from "#protocol/api.ts";
import { isConsole, levelOf, messageText, resultOf } from "#protocol/log-text.ts";
import { ansiHtml, plainHtml } from "./ansi.ts";

export type LogRecords = LogPage["records"];

/** Characters of one line that are shown; whoever wants more gets the line as a file. */
const MAX_SHOWN_CHARS = 4000;
const RESULTS = new Set(["pass", "fail", "skip", "unknown"]);

/**
 * One record as HTML, the same on the server and in the browser. `line` is 0-based; people count from 1: `#L1` is line 0 of the
 * API. `wholeLine` is the address of the log as text, whose `start` and `end` are still to come.
 * Nobody has to tab through the numbers: the key `l` of the job's page names a line as a click on its number does.
 */
export function lineHtml(record: LogRecords[number], line: number, wholeLine = "?"): string {
  const { dt, msg } = record;
  const level = levelOf(record);
  const time = typeof dt === "string" ? (/T(\d\d:\d\d:\d\d)/.exec(dt)?.[1] ?? "") : "";
  const number = line + 1;
  return (
    `<div class="line ${level}${isStep(level, msg) ? " step" : ""}" id="L${number}"><a href="#L${number}" tabindex="-1">${number}</a>` +
    `<time>${time}</time><span>${messageHtml(level, record)}</span>${restHtml(msg, line, wholeLine)}</div>`
  );
}

/** Begin and end of a top-level action. */
const isStep = (level: string, msg: unknown): boolean =>
  level === "info" && typeof msg === "string" && /^(start|end): \d+ /.test(msg);

function messageHtml(level: ReturnType<typeof levelOf>, { msg, ns }: LogRecords[number]): string {
  const result = level === "results" ? resultOf(msg) : undefined;
  if (result) return resultHtml(result);
  const text = messageText(msg).slice(0, MAX_SHOWN_CHARS);
  const prefix = typeof ns === "string" ? `<i>${plainHtml(ns.slice(0, 100))}</i> ` : "";
  return prefix + (isConsole(level) ? ansiHtml(text) : plainHtml(text));
}

function resultHtml(shown: NonNullable<ReturnType<typeof resultOf>>): string {
  const { result, name, value, error } = shown;
  return (
    `<b class="result ${RESULTS.has(result) ? result : "unknown"}">${plainHtml(result.slice(0, 50))}</b> ` +
    `${plainHtml(name.slice(0, 1000))}<i>${plainHtml(value.slice(0, 100))}</i>` +
    plainHtml(error.slice(0, MAX_SHOWN_CHARS))
  );
}

/** The way to what does not fit. */
function restHtml(msg: unknown, line: number, wholeLine: string): string {
  const rest = typeof msg === "string" ? msg.length - MAX_SHOWN_CHARS : 0;
  if (rest <= 0) return "";
  const address = `${plainHtml(wholeLine)}start=${line}&amp;end=${line + 1}`;
  return `<a class="rest" href="${address}">… ${rest} more characters</a>`;
}
