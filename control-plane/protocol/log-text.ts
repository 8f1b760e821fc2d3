import type { LogLevel } from "./log-record.ts";

/** A record as it came, from whom we need not trust. */
type AnyRecord = Readonly<Record<string, unknown>>;

/** Written out, so that browsers need not load the schemas. */
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

/** All levels, in the order of LOG_LEVELS. */
export const LEVEL_NAMES = Object.keys(LEVELS) as readonly LogLevel[];

/** The record's level; `info` when it has none that we know. */
export const levelOf = ({ lvl }: AnyRecord): LogLevel =>
  typeof lvl === "string" && Object.hasOwn(LEVELS, lvl) ? (lvl as LogLevel) : "info";

/** Control sequences (ECMA-48 5.4): CSI, and OSC up to its end. */
const SEQUENCE =
  // oxlint-disable-next-line no-control-regex
  /\u001b\[([0-?]*)([ -/]*[@-~])|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b[ -/]*[0-Z\\^-~]/g;
/** SGR whose ESC was stripped on the way, as LAVA does (DISPATCHER.md 7.2); `[5m]` is no colour. */
const BARE_SGR = /\[((?:0|0?1|[349]\d|10[0-7]|\d{1,3}(?:;\d{1,3}){1,8}))m(?!\])/g;
// oxlint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Console output in pieces: text, and before each but the first the parameters of the colours (SGR) that begin there. */
export function* consolePieces(text: string): Generator<{ text: string; sgr?: string }> {
  const hasEscapes = text.includes("\u001b");
  let at = 0;
  let sgr: string | undefined;
  for (const found of text.matchAll(hasEscapes ? SEQUENCE : BARE_SGR)) {
    yield { text: text.slice(at, found.index), ...(sgr === undefined ? {} : { sgr }) };
    at = found.index + found[0].length;
    sgr = !hasEscapes || found[2] === "m" ? (found[1] ?? "") : undefined;
  }
  yield { text: text.slice(at), ...(sgr === undefined ? {} : { sgr }) };
}

/** The text with control characters made visible, but for the ends of its lines. */
export const visibleText = (text: string): string =>
  text.replaceAll("\r", "").replace(CONTROLS, visible);

function visible(char: string): string {
  if (char === "\n") return char;
  const code = char.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? "\u2421" : "\ufffd";
}

/** What the page of a job shows of a record, without its colours: what is searched, and what a text file has. */
export function lineText(record: AnyRecord): string {
  const { msg, ns } = record;
  const level = levelOf(record);
  const result = level === "results" ? resultOf(msg) : undefined;
  if (result) return visibleText(`${result.result} ${result.name}${result.value}${result.error}`);
  const text = messageText(msg);
  const prefix = typeof ns === "string" ? `${visibleText(ns)} ` : "";
  if (!isConsole(level)) return prefix + visibleText(text);
  let shown = prefix;
  for (const piece of consolePieces(text)) shown += visibleText(piece.text);
  return shown;
}

/** Whether the level's messages have colours. */
export const isConsole = (level: LogLevel): boolean => level === "target" || level === "feedback";

/** A message as text. */
export const messageText = (msg: unknown): string =>
  typeof msg === "string" ? msg : (JSON.stringify(msg) ?? "");

/** `pass`, `0_smoke / linux-version`, ` 4.8 s`, ` why not`; undefined for what is no result. */
export function resultOf(msg: unknown) {
  if (typeof msg !== "object" || msg === null || Array.isArray(msg)) return undefined;
  const fields = msg as Record<string, unknown>;
  const { definition, case: name, result, measurement, units, duration, error_msg } = fields;
  if (typeof result !== "string" || typeof name !== "string" || typeof definition !== "string") {
    return undefined;
  }
  const value = isScalar(measurement)
    ? ` ${measurement} ${isScalar(units) ? units : ""}`
    : isScalar(duration)
      ? ` ${duration} s`
      : "";
  const error = typeof error_msg === "string" ? ` ${error_msg}` : "";
  return { result, name: `${definition} / ${name}`, value: value.trimEnd(), error };
}

const isScalar = (value: unknown): value is string | number =>
  typeof value === "string" || typeof value === "number";
