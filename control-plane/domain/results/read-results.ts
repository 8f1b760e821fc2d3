import * as v from "valibot";
import type { ResultView } from "#protocol/api.ts";
import { resultMessageSchema, type ResultMessage } from "#protocol/log-record.ts";
import { testResultSchema } from "#protocol/states.ts";
import type { Deps } from "../deps.ts";
import { attemptOf, type JobRecord } from "../job-record.ts";
import { resultsKey } from "../keys.ts";
import type { ResultsRecord } from "../log-chunks.ts";
import { queryAll } from "../query-all.ts";
import { exactDecimal } from "./decimal.ts";

/** Results beyond this many are not listed. */
export const MAX_RESULTS = 100_000;

/** Lines of the log, both inclusive: all results there are of an attempt that failed and that another one followed. */
export type Span = readonly [first: number, last: number];

/**
 * The results of a job, or of an attempt of it, in the order of its log, read as they are asked for: those of a large job are
 * never in memory together. What failed attempts have left is not marked. `from`, `to`: lines of the log, both inclusive.
 */
export async function* readResults(
  deps: Deps,
  job: Pick<JobRecord, "id" | "attempt">,
  { from = 0, to = MAX_LINE }: { from?: number; to?: number } = {},
): AsyncGenerator<ResultView> {
  const keyOf = (line: number) => resultsKey(job.id, line, attemptOf(job));
  const { partition, sort } = keyOf(from);
  let first = sort;
  if (from > 0) {
    // The part that has the line may begin before it.
    const range = { from: keyOf(0).sort, to: sort, reverse: true, limit: 1 };
    first = (await deps.table.query("main", partition, range)).items[0]?.key.sort ?? sort;
  }
  const range = { from: first, to: keyOf(Math.min(to, MAX_LINE)).sort, limit: 20 };
  for await (const { data } of queryAll<ResultsRecord>(deps, "main", partition, range)) {
    for (const record of data.results) {
      if (record.line < from || record.line > to) continue;
      const view = resultView(record);
      if (view) yield view;
    }
  }
}

const MAX_LINE = 10 ** 12 - 1;

/** The span that a record marks as in vain, if it is the runner's own word about a failure which it tries again. */
export function failedSpan({ suite, log_line, metadata }: ResultView): Span | undefined {
  const { retried, attempt_start: start } = metadata;
  if (suite !== "lava" || retried !== true || typeof start !== "number") return undefined;
  return [start, log_line];
}

/** A result that says when it is of an attempt that failed and was made again. */
export const markedBy = (spans: readonly Span[], view: ResultView): ResultView =>
  spans.some(([first, last]) => view.log_line >= first && view.log_line <= last)
    ? { ...view, retried: true as const }
    : view;

/** A result record as a test case (SCHEDULER.md 8); undefined for one that is none. */
function resultView({ line, dt, msg }: ResultsRecord["results"][number]): ResultView | undefined {
  const message = v.safeParse(resultMessageSchema, msg);
  const result = v.safeParse(testResultSchema, msg["result"]);
  if (!message.success || !result.success) return undefined;
  const { definition: suite, case: name, ...more } = message.output;
  const { set, reference, level, attempt, starttc, endtc } = more;
  return {
    suite,
    name,
    result: result.output,
    ...measurementOf(message.output),
    ...(set === undefined ? {} : { set }),
    ...(reference === undefined ? {} : { reference }),
    ...(level === undefined ? {} : { level }),
    ...(typeof attempt === "string" ? { attempt } : {}),
    logged: dt,
    log_line: line,
    ...(starttc === undefined ? {} : { log_start_line: starttc }),
    ...(endtc === undefined ? {} : { log_end_line: endtc }),
    metadata: msg,
  };
}

type Measured = Pick<ResultView, "measurement" | "exact" | "units">;

/** Of the job's own actions, in suite `lava`, the measurement is how long they took. */
function measurementOf(message: ResultMessage): Measured {
  const isAction = message.definition === "lava";
  const given = isAction ? message.duration : message.measurement;
  const measurement = given === undefined || given === "" ? Number.NaN : Number(given);
  if (!Number.isFinite(measurement) || given === undefined) return {};
  const exact = exactDecimal(given);
  const units = isAction ? "seconds" : message.units;
  return {
    measurement,
    ...(exact === undefined ? {} : { exact }),
    ...(units === undefined ? {} : { units }),
  };
}
