import type { ResultView } from "#protocol/api.ts";
import type { Deps } from "../../domain/deps.ts";
import type { Principal } from "../../domain/principal.ts";
import { summaryOf } from "../../domain/results/job-summary.ts";
import { readResults } from "../../domain/results/read-results.ts";
import { suiteNamed } from "../../domain/results/suites.ts";
import { getVisibleJob } from "../../domain/visible.ts";
import { casesYaml, CSV_HEAD, csvRow, lavaCase } from "./results-yaml.ts";

/** Of a job: all its cases, those of a suite, those of one name in it; `limit` of them from the `offset`th on. */
export interface WhichCases {
  readonly id: number;
  readonly suite?: string | undefined;
  readonly name?: string | undefined;
  readonly limit?: number | undefined;
  readonly offset?: number | undefined;
}

const AT_ONCE = 100;

/**
 * The results of a job as LAVA's API exports them, piece by piece, read as they are asked for. Throws `not_found` for a job that
 * whoever asks may not see, and for a suite that it does not have, before the first piece.
 */
export async function lavaResults(
  deps: Deps,
  principal: Principal,
  which: WhichCases,
  format: "yaml" | "csv",
): Promise<AsyncGenerator<string>> {
  const views = await viewsOf(deps, principal, which);
  return format === "yaml" ? asYaml(which.id, views) : asCsv(which.id, views);
}

async function viewsOf(
  deps: Deps,
  principal: Principal,
  { id, suite, name, limit = Infinity, offset = 0 }: WhichCases,
): Promise<AsyncGenerator<ResultView>> {
  const job = await getVisibleJob(deps, principal, id);
  let range = {};
  if (suite !== undefined) {
    const { first_line, last_line } = suiteNamed((await summaryOf(deps, job)).summary, id, suite);
    range = { from: first_line, to: last_line };
  }
  return (async function* () {
    let at = 0;
    for await (const view of readResults(deps, job, range)) {
      if (at >= offset + limit) return;
      if ((suite ?? view.suite) !== view.suite || (name ?? view.name) !== view.name) continue;
      if (at++ >= offset) yield view;
    }
  })();
}

async function* asYaml(job: number, views: AsyncGenerator<ResultView>): AsyncGenerator<string> {
  let isEmpty = true;
  for await (const some of inParts(views)) {
    isEmpty = false;
    yield casesYaml(some.map((view) => lavaCase(job, view)));
  }
  if (isEmpty) yield "[]\n";
}

async function* asCsv(job: number, views: AsyncGenerator<ResultView>): AsyncGenerator<string> {
  yield CSV_HEAD;
  for await (const some of inParts(views)) {
    yield some.map((view) => csvRow(lavaCase(job, view))).join("");
  }
}

async function* inParts(views: AsyncGenerator<ResultView>): AsyncGenerator<ResultView[]> {
  let some: ResultView[] = [];
  for await (const view of views) {
    if (some.push(view) < AT_ONCE) continue;
    yield some;
    some = [];
  }
  if (some.length > 0) yield some;
}
