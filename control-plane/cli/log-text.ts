import type { LogPage } from "#protocol/api.ts";
import { coloured, type Colour, type Terminal } from "./terminal.ts";

type Record = LogPage["records"][number];

const COLOURS: { [level: string]: Colour | undefined } = {
  debug: "dim",
  info: "cyan",
  warning: "yellow",
  error: "red",
  exception: "red",
  results: "magenta",
  input: "green",
};

/** A record of a job's log for a person: `12:30:01.250 text`, in the colour of its level. */
export function logText(terminal: Terminal, record: Record): string {
  const { dt, lvl, msg } = record;
  const time = coloured(terminal, "dim", String(dt).slice(11, 23));
  return `${time} ${coloured(terminal, COLOURS[String(lvl)], messageText(String(lvl), msg))}`;
}

function messageText(level: string, msg: unknown): string {
  if (typeof msg !== "string") {
    return level === "results" ? resultText(msg as Record) : JSON.stringify(msg);
  }
  // Escape sequences of a DUT would act on this terminal.
  // eslint-disable-next-line no-control-regex
  const text = msg.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f]/g, "");
  return level === "input" ? `> ${text}` : text;
}

function resultText(msg: Record): string {
  const { definition, result, error_msg } = msg;
  const why = error_msg ? ` (${String(error_msg)})` : "";
  return `${String(definition)} ${String(msg["case"])}: ${String(result)}${why}`;
}
