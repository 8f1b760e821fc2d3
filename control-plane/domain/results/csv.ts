import type { ResultView } from "#protocol/api.ts";
import { pythonTime } from "../notices/python-time.ts";
import { fixedDecimal } from "./decimal.ts";

/** LAVA's fields in its order; every one is quoted (SCHEDULER.md 9). */
const FIELDS = [
  ...["job", "suite", "result", "measurement", "unit", "duration", "timeout", "logged", "level"],
  ...["metadata", "url", "name", "id", "log_start_line", "log_end_line"],
];

export const CSV_HEAD = rowOf(FIELDS);

/** A test case as a line of CSV: `None` is no measurement, duration and timeout are empty. */
export function csvRow(job: number, result: ResultView): string {
  const { suite, name, exact, log_line, log_start_line, log_end_line } = result;
  return rowOf([
    ...[String(job), suite, result.result, exact === undefined ? "None" : fixedDecimal(exact)],
    ...[result.units ?? "", "", "", pythonTime(result.logged), result.level ?? ""],
    ...[JSON.stringify(result.metadata), caseAddress(job, result), name, String(log_line)],
    ...[String(log_start_line ?? "None"), String(log_end_line ?? "None")],
  ]);
}

/** Where LAVA's exports say that a case is. */
export const caseAddress = (job: number, { suite, name }: ResultView): string =>
  `/results/${job}/${encodeURIComponent(suite)}/${encodeURIComponent(name)}`;

/** Line ends as Python's `csv` writes them. */
function rowOf(fields: readonly string[]): string {
  return `${fields.map((field) => `"${field.replaceAll('"', '""')}"`).join(",")}\r\n`;
}
