import { LOG_LEVELS, MAX_RECORD_CHARS, type LogRecord } from "#protocol/log-record.ts";
import { readYaml } from "#protocol/read-yaml.ts";
import { readFlowValue } from "./flow-value.ts";

/**
 * The records of what `lava-run` sends as `lines` (API.md 1.6): `- RECORD` on a line each. One that can't be read is a record
 * that says so, as its sender would send it again for ever, and those after it keep their numbers. `time`, ISO 8601, is for
 * records that have none.
 */
export function readLines(text: string, time: string): LogRecord[] {
  let yamlChars = MAX_YAML_CHARS;
  return physicalLines(text).map((line) => {
    if (line.length > MAX_RECORD_CHARS) return dropped(time, line, "it is too long");
    let value = valueOf(line);
    if (value === undefined && line.length <= yamlChars) {
      yamlChars -= line.length;
      value = readYaml(line).value;
    }
    return recordOf(value, time) ?? dropped(time, line, "it is no record of a log");
  });
}

/** Of a request so much may be any YAML, which is slow to read; `lava-run` writes none. */
const MAX_YAML_CHARS = 20_000;

/** Each with what follows it that begins no record of its own. */
function physicalLines(text: string): string[] {
  const lines: string[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("- ")) lines.push(line.slice(2));
    else if (line === "" || lines.length === 0) lines.push(...(line === "" ? [] : [line]));
    else lines[lines.length - 1] += `\n${line}`;
  }
  return lines;
}

function valueOf(line: string): unknown {
  // Most lines are JSON, which has a faster reader.
  for (const read of [JSON.parse, readFlowValue]) {
    try {
      return read(line);
    } catch {
      // The other reader may know it.
    }
  }
  return undefined;
}

function recordOf(value: unknown, time: string): LogRecord | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const { dt, lvl, msg, ns } = value as Record<string, unknown>;
  const level = LOG_LEVELS.find((one) => one === lvl);
  if (level === undefined || msg === undefined || isDeeper(msg, MAX_DEPTH)) return undefined;
  const isMapping = typeof msg === "object" && msg !== null && !Array.isArray(msg);
  return {
    dt: timeOf(dt) ?? time,
    lvl: level === "results" && !isMapping ? "debug" : level,
    msg: level === "results" && isMapping ? resultOf(msg) : messageOf(msg),
    ...(typeof ns === "string" ? { ns: ns.slice(0, 200) } : {}),
  };
}

/** Whoever writes such a record again, or shows it, would not come to its end. */
const MAX_DEPTH = 100;

const isDeeper = (value: unknown, levels: number): boolean =>
  typeof value === "object" &&
  value !== null &&
  (levels === 0 || Object.values(value).some((one) => isDeeper(one, levels - 1)));

/** LAVA's times are UTC and don't say so. */
function timeOf(dt: unknown): string | undefined {
  if (typeof dt !== "string") return undefined;
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?$/.test(dt) ? `${dt}+00:00` : undefined;
}

const messageOf = (msg: unknown): LogRecord["msg"] =>
  typeof msg === "object" && msg !== null
    ? (msg as Record<string, unknown> | unknown[])
    : String(msg);

const TEXTS = ["definition", "case", "result", "level", "namespace", "duration", "units", "set"];
const MAX_RESULT_CHARS = 32_000;

/** With the types that ours have; one that is too long keeps what matters. */
function resultOf(msg: object): Record<string, unknown> {
  const result: Record<string, unknown> = { ...msg };
  for (const name of [...TEXTS, "reference", "error_msg", "error_type"]) {
    const value = result[name];
    if (typeof value === "number" || typeof value === "boolean") result[name] = String(value);
    if (value === null) delete result[name];
  }
  for (const name of ["starttc", "endtc"]) {
    const line = Number(result[name]);
    if (result[name] !== undefined && !Number.isSafeInteger(line)) delete result[name];
    else if (result[name] !== undefined) result[name] = line;
  }
  if (result["measurement"] === null) delete result["measurement"];
  if (JSON.stringify(result).length <= MAX_RESULT_CHARS) return result;
  const kept = [...TEXTS, "measurement", "error_type"].flatMap((name) => {
    const value = result[name];
    if (value === undefined) return [];
    return [[name, typeof value === "string" ? value.slice(0, 1000) : value]];
  });
  return Object.fromEntries(kept) as Record<string, unknown>;
}

const dropped = (dt: string, line: string, why: string): LogRecord => ({
  dt,
  lvl: "warning",
  msg: `Pumice: ${line.length} characters of the log were dropped here: ${why}`,
});
