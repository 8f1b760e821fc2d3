import type { LogRecord } from "#protocol/log-record.ts";

const COLOURS: Partial<Record<LogRecord["lvl"], string>> = {
  debug: "\u001b[2m",
  info: "\u001b[36m",
  warning: "\u001b[33m",
  error: "\u001b[31m",
  exception: "\u001b[31m",
  results: "\u001b[35m",
  input: "\u001b[32m",
};
const useColours = process.stdout.isTTY && !process.env["NO_COLOR"];

/** What acts on a terminal instead of being shown. */
// oxlint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** A record of the log for a person at a terminal: `12:30:01.250 text`. */
export function logLine({ dt, lvl, msg }: LogRecord): string {
  const text = (typeof msg === "string" ? msg : JSON.stringify(msg)).replace(CONTROLS, "");
  const shown = lvl === "input" ? `> ${text}` : lvl === "results" ? resultLine(msg) : text;
  const time = dt.slice(11, 23);
  const colour = COLOURS[lvl];
  return useColours && colour ? `${time} ${colour}${shown}\u001b[0m` : `${time} ${shown}`;
}

/** The test cases of a job, a line each, with the job's own result last. */
export function resultTable(records: readonly LogRecord[]): string {
  const rows = records
    .map(({ msg }) => msg as Record<string, unknown>)
    .filter((msg) => msg["definition"] !== "lava" || msg["case"] === "job")
    .map((msg) => [msg["definition"], msg["set"] ?? "", msg["case"], msg["result"], measured(msg)])
    .map((row) => row.map(String));
  const head = ["suite", "set", "case", "result", "measurement"];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  return `\n${[head, ...rows].map(line).join("\n")}\n`;
}

function resultLine(msg: LogRecord["msg"]): string {
  const { definition, case: name, result, error_msg } = msg as Record<string, unknown>;
  return `${String(definition)} ${String(name)}: ${String(result)}${error_msg ? ` (${String(error_msg)})` : ""}`;
}

const measured = ({ measurement, units = "" }: Record<string, unknown>): string =>
  measurement === undefined ? "" : `${String(measurement)} ${String(units)}`.trim();
