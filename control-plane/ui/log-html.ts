import type { LogPage } from "#protocol/api.ts";
import type { LogLevel } from "#protocol/log-record.ts";
import { ansiHtml, plainHtml } from "./ansi.ts";

export type LogRecords = LogPage["records"];

/** Lines of one block: the browser skips the layout of blocks that are out of sight. */
export const BLOCK_LINES = 500;

/** Written out, so that browsers need not load the protocol's schemas. */
const LEVELS: Record<LogLevel, true> = {
  debug: true,
  info: true,
  warning: true,
  error: true,
  exception: true,
  results: true,
  target: true,
  input: true,
  feedback: true,
  event: true,
};
const RESULTS = new Set(["pass", "fail", "skip", "unknown"]);

/** Records as HTML in blocks, the same on the server and in the browser. `first` is the 0-based line of the first. */
export function logHtml(records: LogRecords, first: number): string {
  let html = "";
  for (let from = 0; from < records.length; from += BLOCK_LINES) {
    const lines = records.slice(from, from + BLOCK_LINES);
    html += `<div class="block">${lines.map((record, n) => lineHtml(record, first + from + n)).join("")}</div>`;
  }
  return html;
}

/** One record. People count lines from 1: `#L1` is line 0 of the API. */
export function lineHtml(record: LogRecords[number], line: number): string {
  const { dt, lvl, msg } = record;
  const level = typeof lvl === "string" && Object.hasOwn(LEVELS, lvl) ? lvl : "info";
  const time = typeof dt === "string" ? (/T(\d\d:\d\d:\d\d)/.exec(dt)?.[1] ?? "") : "";
  const number = line + 1;
  return (
    `<div class="line ${level}${isStep(level, msg) ? " step" : ""}" id="L${number}"><a href="#L${number}">${number}</a>` +
    `<time>${time}</time><span>${messageHtml(level, record)}</span></div>`
  );
}

/** Begin and end of a top-level action. */
const isStep = (level: string, msg: unknown): boolean =>
  level === "info" && typeof msg === "string" && /^(start|end): \d+ /.test(msg);

function messageHtml(level: string, { msg, ns }: LogRecords[number]): string {
  if (level === "results" && isRecord(msg)) return resultHtml(msg);
  const text = typeof msg === "string" ? msg : JSON.stringify(msg);
  const prefix = typeof ns === "string" ? `<i>${plainHtml(ns)}</i> ` : "";
  return prefix + (level === "target" || level === "feedback" ? ansiHtml(text) : plainHtml(text));
}

/** `pass 0_smoke / linux-version 4.8 s`; a record that is no result is shown as it is. */
function resultHtml(msg: Record<string, unknown>): string {
  const { definition, case: name, result, measurement, units, duration, error_msg } = msg;
  if (typeof result !== "string" || typeof name !== "string" || typeof definition !== "string") {
    return plainHtml(JSON.stringify(msg));
  }
  const value = isScalar(measurement)
    ? ` ${measurement} ${isScalar(units) ? units : ""}`
    : isScalar(duration)
      ? ` ${duration} s`
      : "";
  const error = typeof error_msg === "string" ? ` ${plainHtml(error_msg)}` : "";
  return (
    `<b class="result ${RESULTS.has(result) ? result : "unknown"}">${plainHtml(result)}</b> ` +
    `${plainHtml(`${definition} / ${name}`)}<i>${plainHtml(value.trimEnd())}</i>${error}`
  );
}

const isScalar = (value: unknown): value is string | number =>
  typeof value === "string" || typeof value === "number";

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
