import * as v from "valibot";
import type { LogPage } from "#protocol/api.ts";
import { resultMessageSchema, type ResultMessage } from "#protocol/log-record.ts";
import { printable, printableLines } from "./printable.ts";
import { RESULT_COLOURS } from "./results-table.ts";
import { coloured, type Colour, type Terminal } from "./terminal.ts";

type Record = LogPage["records"][number];

const COLOURS: { [level: string]: Colour | undefined } = {
  debug: "dim",
  info: "cyan",
  warning: "yellow",
  error: "red",
  exception: "red",
  input: "magenta",
  feedback: "dim",
};

/** A record of a job's log for a person: `12:30:01.250 text`, in the colour of its level. */
export function logText(terminal: Terminal, record: Record): string {
  const { dt, lvl, msg } = record;
  const time = coloured(terminal, "dim", printable(String(dt)).slice(11, 23));
  const result = lvl === "results" ? v.safeParse(resultMessageSchema, msg) : undefined;
  if (result?.success) return `${time} ${resultText(terminal, result.output)}`;
  const text = typeof msg === "string" ? printableLines(msg) : printable(JSON.stringify(msg) ?? "");
  const mark = MARKS[String(lvl)]?.(record) ?? "";
  return `${time} ${coloured(terminal, COLOURS[String(lvl)], `${mark}${text}`)}`;
}

/** What was typed and what a second device says are told apart from the device's own lines. */
const MARKS: { [level: string]: ((record: Record) => string) | undefined } = {
  input: () => "> ",
  feedback: ({ ns }) => `<${printable(String(ns))}> `,
};

/** `[pass] smoke/boots 12.5 seconds`, in the colour of the result. */
function resultText(terminal: Terminal, message: ResultMessage): string {
  const { definition, set, case: name, result, measurement, units, error_msg: why } = message;
  const where = set === undefined ? [definition, name] : [definition, set, name];
  const parts = [`[${result}]`, where.join("/"), measurement, units, why && `(${why})`];
  const text = parts.filter((part) => part !== undefined && part !== "").join(" ");
  return coloured(terminal, RESULT_COLOURS[result], printable(text));
}
