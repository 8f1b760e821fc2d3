import * as v from "valibot";
import type { ResultList, ResultView } from "#protocol/api.ts";
import { resultMessageSchema, type ResultMessage } from "#protocol/log-record.ts";
import { testResultSchema } from "#protocol/states.ts";
import type { Deps } from "./deps.ts";
import { getJobItem } from "./job-record.ts";
import { resultsKey, under } from "./keys.ts";
import type { ResultsRecord } from "./log-chunks.ts";
import { requireUser, type Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";

/** Results beyond this many are not listed. */
const MAX_RESULTS = 100_000;

/** All results of a job in the order of its log. Throws `not_found`. */
export async function listResults(
  deps: Deps,
  principal: Principal,
  id: number,
): Promise<ResultList> {
  requireUser(principal);
  await getJobItem(deps, id);
  const results: ResultView[] = [];
  const range = { ...under("results#"), limit: 20 };
  const { partition } = resultsKey(id, 0);
  for await (const { data } of queryAll<ResultsRecord>(deps, "main", partition, range)) {
    for (const record of data.results) {
      const view = resultView(record);
      if (view) results.push(view);
      if (results.length === MAX_RESULTS) return { results };
    }
  }
  return { results };
}

/** A result record as a test case (SCHEDULER.md 8); undefined for one that is none. */
function resultView({ line, dt, msg }: ResultsRecord["results"][number]): ResultView | undefined {
  const message = v.safeParse(resultMessageSchema, msg);
  const result = v.safeParse(testResultSchema, msg["result"]);
  if (!message.success || !result.success) return undefined;
  const { definition: suite, case: name, set, reference, level, starttc, endtc } = message.output;
  return {
    suite,
    name,
    result: result.output,
    ...measurementOf(message.output),
    ...(set === undefined ? {} : { set }),
    ...(reference === undefined ? {} : { reference }),
    ...(level === undefined ? {} : { level }),
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
