import * as v from "valibot";
import type { ResultList, ResultView } from "#protocol/api.ts";
import { resultMessageSchema, type ResultMessage } from "#protocol/log-record.ts";
import { testResultSchema } from "#protocol/states.ts";
import type { Deps } from "./deps.ts";
import { attemptOf } from "./job-record.ts";
import { resultsKey } from "./keys.ts";
import type { ResultsRecord } from "./log-chunks.ts";
import type { Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";
import { getVisibleJob } from "./visible.ts";

/** Results beyond this many are not listed. */
const MAX_RESULTS = 100_000;

/** All results of a job, or of an attempt of it, in the order of its log. Throws `not_found`. */
export async function listResults(
  deps: Deps,
  principal: Principal,
  id: number,
  attempt?: number,
): Promise<ResultList> {
  const job = await getVisibleJob(deps, principal, id, attempt);
  const results: ResultView[] = [];
  const { partition, sort } = resultsKey(id, 0, attemptOf(job));
  const range = { from: sort, to: resultsKey(id, MAX_LINE, attemptOf(job)).sort, limit: 20 };
  for await (const { data } of queryAll<ResultsRecord>(deps, "main", partition, range)) {
    for (const record of data.results) {
      const view = resultView(record);
      if (view) results.push(view);
      if (results.length === MAX_RESULTS) return { results: withFailedAttempts(results) };
    }
  }
  return { results: withFailedAttempts(results) };
}

const MAX_LINE = 10 ** 12 - 1;

/** The results with those marked that an attempt has left which failed and was made again. */
function withFailedAttempts(results: ResultView[]): ResultView[] {
  let start = Infinity;
  return results
    .toReversed()
    .map((view) => {
      const { definition, retried, attempt_start } = view.metadata;
      // The runner's own word, in the record of the failure: all since the attempt's start was in vain.
      if (definition === "lava" && retried === true && typeof attempt_start === "number") {
        start = Math.min(start, attempt_start);
      }
      return view.log_line >= start ? { ...view, retried: true as const } : view;
    })
    .toReversed();
}

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

/** Of the job's own actions, in suite `lava`, the measurement is how long they took. */
function measurementOf(message: ResultMessage): { measurement?: number; units?: string } {
  const isAction = message.definition === "lava";
  const text = isAction ? message.duration : message.measurement;
  const measurement = text === undefined || text === "" ? Number.NaN : Number(text);
  if (!Number.isFinite(measurement)) return {};
  const units = isAction ? "seconds" : message.units;
  return units === undefined ? { measurement } : { measurement, units };
}
