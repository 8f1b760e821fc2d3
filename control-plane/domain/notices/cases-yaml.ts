import { Document, visit, type Tags } from "yaml";
import type { ResultView } from "#protocol/api.ts";
import { fixedDecimal } from "../results/decimal.ts";
import { plainCaseYaml } from "./case-yaml.ts";
import { pythonTime } from "./python-time.ts";

/** A suite's cases as LAVA exports them in YAML (SCHEDULER.md 9): every value is text, `metadata` the record as it was logged. */
export function casesYaml(job: number, results: readonly ResultView[]): string {
  const cases = results.map((result) => ({
    name: result.name,
    job: String(job),
    suite: result.suite,
    result: result.result,
    measurement: result.exact === undefined ? "None" : fixedDecimal(result.exact),
    unit: result.units ?? "",
    level: result.level ?? "",
    url: `/results/${job}/${encodeURIComponent(result.suite)}/${encodeURIComponent(result.name)}`,
    id: String(result.log_line),
    logged: pythonTime(result.logged),
    log_start_line: String(result.log_start_line ?? "None"),
    log_end_line: String(result.log_end_line ?? "None"),
    metadata: result.metadata,
  }));
  if (cases.length === 0) return "[]\n";
  return cases.map((one) => plainCaseYaml(one) ?? caseYaml(one)).join("");
}

/** Any case, by the library. */
export function caseYaml(one: object): string {
  const document = new Document([one], { version: "1.1", customTags: withoutMerge });
  const metadata = document.getIn([0, "metadata"]) as { flow?: boolean } | undefined;
  if (metadata) metadata.flow = true;
  // Plain, these words of YAML 1.1 are no text: a reader would merge what follows into the case, or refuse it.
  visit(document, {
    Scalar(_, node) {
      if (node.value === "<<" || node.value === "=") node.type = "QUOTE_SINGLE";
    },
  });
  return document.toString({ singleQuote: true, lineWidth: 0, flowCollectionPadding: false });
}

const withoutMerge = (tags: Tags): Tags =>
  tags.filter((tag) => typeof tag === "string" || tag.tag !== "tag:yaml.org,2002:merge");

/** The results of a job by their suites, in the order in which those began. */
export function bySuite(results: readonly ResultView[]): Map<string, ResultView[]> {
  const suites = new Map<string, ResultView[]>();
  for (const result of results) {
    const cases = suites.get(result.suite);
    if (cases) cases.push(result);
    else suites.set(result.suite, [result]);
  }
  return suites;
}
