import type { ResultView } from "#protocol/api.ts";
import { fixedDecimal } from "../../domain/results/decimal.ts";
import { pythonTime } from "../../domain/notices/python-time.ts";
import { blockYaml } from "./block-yaml.ts";
import { caseIdOf } from "./lava-ids.ts";
import { pythonText } from "./python-text.ts";

/** A test case as LAVA's API exports it (API.md 4 and 5): every value but `metadata` is text. */
export interface LavaCase {
  id: string;
  job: string;
  level: string;
  log_end_line: string;
  log_start_line: string;
  logged: string;
  /** Of ten decimals, or `None`. */
  measurement: string;
  metadata: Readonly<Record<string, unknown>>;
  name: string;
  result: string;
  suite: string;
  unit: string;
  url: string;
}

/** LAVA's order of columns; every one is quoted. */
const COLUMNS = [
  ...["job", "suite", "result", "measurement", "unit", "duration", "timeout", "logged", "level"],
  ...["metadata", "url", "name", "id", "log_start_line", "log_end_line"],
] as const;

export function lavaCase(job: number, view: ResultView): LavaCase {
  const id = String(caseIdOf(job, view.log_line));
  return {
    id,
    job: String(job),
    level: view.level ?? "",
    log_end_line: String(view.log_end_line ?? ""),
    log_start_line: String(view.log_start_line ?? ""),
    logged: pythonTime(view.logged),
    measurement: view.exact === undefined ? "None" : fixedDecimal(view.exact),
    metadata: caseMetadata(view.metadata),
    name: view.name,
    result: view.result,
    suite: view.suite,
    unit: view.units ?? "",
    url: `/results/testcase/${id}`,
  };
}

/** The record as LAVA tells it: keys in order, `extra` as a list of mappings of one key. */
export function caseMetadata(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const entries = Object.entries(record).map(([name, value]) => {
    const isMapping = typeof value === "object" && value !== null && !Array.isArray(value);
    if (name !== "extra" || !isMapping) return [name, value] as const;
    return [
      name,
      inOrder(Object.entries(value)).map(([key, inner]) => ({ [key]: inner })),
    ] as const;
  });
  return Object.fromEntries(inOrder(entries));
}

const inOrder = <T extends readonly [string, unknown]>(entries: readonly T[]): T[] =>
  entries.toSorted(([a], [b]) => (a < b ? -1 : 1));

/** Items of a list; `[]` is the whole list where there is none. */
export const casesYaml = (cases: readonly LavaCase[]): string => blockYaml(cases);

export const CSV_HEAD = csvLine(COLUMNS);

export const csvRow = (one: LavaCase): string =>
  csvLine(
    COLUMNS.map((column) => {
      if (column === "metadata") return pythonText(one.metadata);
      return column === "duration" || column === "timeout" ? "" : one[column];
    }),
  );

/** Line ends as Python's `csv` writes them. */
export function csvLine(fields: readonly string[]): string {
  return `${fields.map((field) => `"${field.replaceAll('"', '""')}"`).join(",")}\r\n`;
}
