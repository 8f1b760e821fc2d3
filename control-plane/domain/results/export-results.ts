import type { ResultView } from "#protocol/api.ts";
import type { ExportFormat } from "#protocol/results.ts";
import type { Deps } from "../deps.ts";
import type { JobRecord } from "../job-record.ts";
import { junitReport } from "../junit.ts";
import { casesYaml } from "../notices/cases-yaml.ts";
import type { Principal } from "../principal.ts";
import { getVisibleJob } from "../visible.ts";
import { CSV_HEAD, csvRow } from "./csv.ts";
import { summaryOf } from "./job-summary.ts";
import { markedBy, readResults } from "./read-results.ts";
import { suiteNamed, type OfJob } from "./suites.ts";
import { tapLine } from "./tap.ts";

export interface Export {
  readonly mediaType: string;
  /** The text piece by piece, made as it is asked for. */
  readonly text: AsyncIterable<string>;
}

const MEDIA_TYPES: Record<ExportFormat, string> = {
  yaml: "application/yaml",
  csv: "text/csv",
  junit: "application/xml",
  tap: "application/yaml",
  json: "application/json",
};

/** A job's results, or those of one suite, as other programs want them (SCHEDULER.md 9). Throws `not_found`. */
export async function exportResults(
  deps: Deps,
  principal: Principal,
  { id, attempt, suite: name }: OfJob & { suite?: string | undefined },
  format: ExportFormat,
): Promise<Export> {
  const job = await getVisibleJob(deps, principal, id, attempt);
  const { summary } = await summaryOf(deps, job);
  const suite = name === undefined ? undefined : suiteNamed(summary, id, name);
  const mediaType = `${MEDIA_TYPES[format]}; charset=utf-8`;
  if (format === "junit") {
    return { mediaType, text: once(await junitReport(deps, principal, id, attempt, name)) };
  }
  const count = summary.cases.filter((one) => name === undefined || one.suite === name).length;
  const views = async function* (): AsyncGenerator<ResultView> {
    let left = count;
    const range = suite ? { from: suite.first_line, to: suite.last_line } : {};
    for await (const view of readResults(deps, job, range)) {
      if (name !== undefined && view.suite !== name) continue;
      // Those that came since, of a job that runs, are not in the plan.
      if (left-- <= 0) return;
      yield markedBy(summary.failed, view);
    }
  };
  return { mediaType, text: WRITERS[format](job, views(), count) };
}

type Writer = (
  job: JobRecord,
  views: AsyncIterable<ResultView>,
  count: number,
) => AsyncGenerator<string>;

const WRITERS: Record<Exclude<ExportFormat, "junit">, Writer> = {
  async *yaml({ id }, views, count) {
    if (count === 0) yield "[]\n";
    for await (const some of inHundreds(views)) yield casesYaml(id, some);
  },
  async *csv({ id }, views) {
    yield CSV_HEAD;
    for await (const some of inHundreds(views)) {
      yield some.map((view) => csvRow(id, view)).join("");
    }
  },
  async *tap(_job, views, count) {
    yield `TAP version 13\n1..${count}\n`;
    let number = 0;
    for await (const some of inHundreds(views)) {
      yield some.map((view) => tapLine((number += 1), view)).join("");
    }
  },
  async *json(_job, views) {
    let open = '{"results":[';
    for await (const some of inHundreds(views)) {
      yield `${open}\n${some.map((view) => JSON.stringify(view)).join(",\n")}`;
      open = ",";
    }
    yield open === "," ? "\n]}\n" : `${open}]}\n`;
  },
};

async function* inHundreds(views: AsyncIterable<ResultView>): AsyncGenerator<ResultView[]> {
  let some: ResultView[] = [];
  for await (const view of views) {
    if (some.push(view) < 100) continue;
    yield some;
    some = [];
  }
  if (some.length > 0) yield some;
}

async function* once(text: string): AsyncGenerator<string> {
  yield text;
}
