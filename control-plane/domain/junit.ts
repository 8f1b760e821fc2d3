import type { JobView, LogPage, ResultView } from "#protocol/api.ts";
import type { Deps } from "./deps.ts";
import { readLog } from "./job-log.ts";
import { getJob } from "./jobs.ts";
import type { Principal } from "./principal.ts";
import { listResults } from "./results.ts";

/** Failures that show their lines of the log, and how many lines each. */
const MAX_EXCERPTS = 50;
const MAX_EXCERPT_LINES = 200;

/** A job's results, or those of one suite, as JUnit XML (SCHEDULER.md 9): suites, cases, failures with their lines of the log. */
export async function junitReport(
  deps: Deps,
  principal: Principal,
  id: number,
  attempt?: number,
  suite?: string,
): Promise<string> {
  const job = await getJob(deps, principal, id, attempt);
  const { results: all } = await listResults(deps, principal, id, attempt);
  const results = suite === undefined ? all : all.filter((result) => result.suite === suite);
  const excerpts = new Map<ResultView, string>();
  for (const result of results) {
    const { result: word, log_start_line: start, log_end_line: last } = result;
    if (word !== "fail" || start === undefined || last === undefined) continue;
    if (excerpts.size === MAX_EXCERPTS) break;
    const end = Math.min(last + 1, start + MAX_EXCERPT_LINES);
    if (end <= start) continue;
    const { records } = await readLog(deps, principal, id, { start, end, attempt });
    excerpts.set(result, records.map(lineOf).join("\n"));
  }
  return junit(job, results, excerpts);
}

/** The document itself; `unknown` counts as passed. */
function junit(
  job: JobView,
  results: ResultView[],
  excerpts: ReadonlyMap<ResultView, string>,
): string {
  const suites = new Map<string, ResultView[]>();
  for (const result of results) {
    const cases = suites.get(result.suite);
    if (cases) cases.push(result);
    else suites.set(result.suite, [result]);
  }
  const lines = ['<?xml version="1.0" encoding="UTF-8"?>', `<testsuites${counts(results)}>`];
  for (const [suite, cases] of suites) {
    const timestamp = job.end_time ?? job.start_time ?? job.submit_time;
    lines.push(
      `  <testsuite${attributes({ name: suite })}${counts(cases)}${attributes({ timestamp })}>`,
    );
    for (const result of cases) lines.push(testCase(result, excerpts.get(result)));
    lines.push("  </testsuite>");
  }
  return [...lines, "</testsuites>", ""].join("\n");
}

function testCase(result: ResultView, excerpt = ""): string {
  const { duration } = result.metadata;
  const open = `    <testcase${attributes({
    // Whoever reads this takes two cases of one name for the same one.
    name: result.retried ? `${result.name} (attempt ${result.attempt ?? "before"})` : result.name,
    classname: result.set === undefined ? result.suite : `${result.set}_${result.suite}`,
    time:
      typeof duration === "string" || typeof duration === "number" ? String(duration) : undefined,
    timestamp: result.logged,
  })}`;
  if (result.result === "fail") {
    return `${open}><failure message="failed">${escaped(excerpt)}</failure></testcase>`;
  }
  return result.result === "skip" ? `${open}><skipped message="skipped"/></testcase>` : `${open}/>`;
}

function counts(results: ResultView[]): string {
  const count = (word: string) => String(results.filter(({ result }) => result === word).length);
  return attributes({
    tests: String(results.length),
    failures: count("fail"),
    errors: "0",
    skipped: count("skip"),
  });
}

const attributes = (values: Record<string, string | undefined>): string =>
  Object.entries(values)
    .map(([name, value]) => (value === undefined ? "" : ` ${name}="${escaped(value)}"`))
    .join("");

const ENTITIES: Record<string, string> = { "<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;" };

/** XML 1.0 has no place for most control characters, not even escaped; consoles are full of them. */
const escaped = (text: string): string =>
  text
    // oxlint-disable-next-line no-control-regex
    .replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]|\p{Surrogate}/gu, "\uFFFD")
    .replace(/[<>&"]/g, (character) => ENTITIES[character] ?? character);

function lineOf({ msg }: LogPage["records"][number]): string {
  return typeof msg === "string" ? msg : JSON.stringify(msg);
}
