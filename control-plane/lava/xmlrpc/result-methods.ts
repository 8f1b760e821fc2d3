import * as v from "valibot";
import { AppError } from "../../domain/app-error.ts";
import { lavaMetadata } from "../shapes/job-metadata.ts";
import { blockYaml } from "../shapes/block-yaml.ts";
import { lavaResults, type WhichCases } from "../shapes/lava-results.ts";
import { suiteIdOf } from "../shapes/lava-suites.ts";
import { csvLine, CSV_HEAD } from "../shapes/results-yaml.ts";
import { Fault } from "./fault.ts";
import { findJob } from "./find-job.ts";
import { fromZero, jobId, maybe, method, name, text, type Call, type Method } from "./method.ts";
import { wholeText } from "./whole-text.ts";
import type { XmlRpcStruct, XmlRpcValue } from "./xml-value.ts";

const R = "results.";
const ONE_BY_ONE = "ask results.get_testsuite_results_yaml with limit and offset";

/** A refusal in the words of LAVA's results. */
async function specified<T>(what: "job" | "test suite", found: Promise<T>): Promise<T> {
  try {
    return await found;
  } catch (error) {
    const isAbsent = error instanceof AppError ? error.code === "not_found" : isNotFound(error);
    if (isAbsent) throw new Fault(404, `Specified ${what} not found.`);
    throw error;
  }
}
const isNotFound = (error: unknown): boolean => error instanceof Fault && error.code === 404;

const jobOf = async ({ deps, principal }: Call, id: string): Promise<number> => {
  const { getVisibleJob } = await import("../../domain/visible.ts");
  return (
    await specified(
      "job",
      findJob(deps, id).then((one) => getVisibleJob(deps, principal, one)),
    )
  ).id;
};

async function results(
  call: Call,
  job: string,
  which: Omit<WhichCases, "id">,
  format: "yaml" | "csv",
): Promise<string> {
  const { deps, principal } = call;
  const id = await jobOf(call, job);
  const pieces = await specified(
    "test suite",
    lavaResults(deps, principal, { id, ...which }, format),
  );
  const whole = await wholeText(deps, pieces, ONE_BY_ONE);
  // A reader of XML makes one line end of two characters; here they come as they are written.
  return format === "csv" ? whole.replaceAll("\r\n", "\n") : whole;
}

async function suites(
  call: Call,
  job: string,
): Promise<{ id: string; job: string; name: string }[]> {
  const { deps, principal } = call;
  const id = await jobOf(call, job);
  const { listSuites } = await import("../../domain/results/suites.ts");
  const { suites } = await listSuites(deps, principal, { id });
  return suites.map((suite) => ({
    id: String(suiteIdOf(id, suite)),
    job: String(id),
    name: suite.name,
  }));
}

async function count(call: Call, job: string, suite: string): Promise<number> {
  const { deps, principal } = call;
  const id = await jobOf(call, job);
  const { getVisibleJob } = await import("../../domain/visible.ts");
  const { summaryOf } = await import("../../domain/results/job-summary.ts");
  const { summary } = await summaryOf(deps, await getVisibleJob(deps, principal, id));
  const { suiteNamed } = await import("../../domain/results/suites.ts");
  await specified("test suite", (async () => suiteNamed(summary, id, suite))());
  return summary.cases.filter((one) => one.suite === suite).length;
}

/** Of one case; LAVA answers an empty list in YAML and a fault in CSV when there is none. */
async function caseResults(
  call: Call,
  given: { job_id: string; suite_name: string; case_name: string },
  format: "yaml" | "csv",
) {
  const found = await results(
    call,
    given.job_id,
    { suite: given.suite_name, name: given.case_name },
    format,
  );
  if (format === "csv" && found === CSV_HEAD.replace("\r\n", "\n")) {
    throw new Fault(404, "Specified test case not found.");
  }
  return found;
}

const ofJob = { job_id: jobId };
const ofSuite = { ...ofJob, suite_name: name, limit: maybe(fromZero), offset: maybe(fromZero) };
const ofCase = { ...ofJob, suite_name: name, case_name: name };

const inBoth = (format: "yaml" | "csv"): Method[] => [
  method(
    `${R}get_testjob_results_${format}`,
    "read",
    ofJob,
    `All test cases of a job (${format}).`,
    (call, { job_id }) => results(call, job_id, {}, format),
  ),
  method(
    `${R}get_testsuite_results_${format}`,
    "read",
    ofSuite,
    `The test cases of a suite (${format}): limit of them from offset on.`,
    (call, { job_id, suite_name: suite, limit, offset }) =>
      results(call, job_id, { suite, limit, offset }, format),
  ),
  method(
    `${R}get_testcase_results_${format}`,
    "read",
    ofCase,
    `The test cases of one name in a suite (${format}).`,
    (call, args) => caseResults(call, args, format),
  ),
];

const queries = () => import("../../domain/queries/run-query.ts");
const nameOf = ({ principal }: Call) => ("name" in principal ? principal.name : "");

async function saved(call: Call, query: string, owner = nameOf(call)) {
  const { getQuery } = await import("../../domain/queries/saved-queries.ts");
  try {
    return await getQuery(call.deps, call.principal, owner, query);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "not_found") throw error;
    throw new Fault(404, `Query with name ${query} owned by user ${owner} does not exist.`);
  }
}

/** Rows as flat structs: of a job its fields, of a suite or case its own with the job's id. */
function asRows(rows: readonly Readonly<Record<string, object | undefined>>[]): XmlRpcValue {
  return rows.map(({ job, ...rest }) => {
    const [inner] = Object.values(rest);
    if (!inner) return job as XmlRpcStruct;
    const { id } = job as { id: number };
    return { ...(JSON.parse(JSON.stringify(inner)) as XmlRpcStruct), job: id };
  });
}

const answerSize = v.nullish(fromZero, 200);

/** `results` */
export const resultMethods: Method[] = [
  ...inBoth("yaml"),
  ...inBoth("csv"),
  method(
    R + "get_testjob_suites_list_yaml",
    "read",
    ofJob,
    "The suites of a job (YAML).",
    async (call, { job_id }) => blockYaml(await suites(call, job_id)),
  ),
  method(
    R + "get_testjob_suites_list_csv",
    "read",
    ofJob,
    "The suites of a job (CSV).",
    async (call, { job_id }) => {
      const rows = (await suites(call, job_id)).map(({ name, job, id }) =>
        csvLine([name, job, id]),
      );
      return [csvLine(["name", "job", "id"]), ...rows].join("").replaceAll("\r\n", "\n");
    },
  ),
  method(
    R + "get_testsuite_results_count",
    "read",
    { ...ofJob, suite_name: name },
    "How many test cases a suite has.",
    (call, { job_id, suite_name }) => count(call, job_id, suite_name),
  ),
  method(
    R + "get_testjob_metadata",
    "read",
    ofJob,
    "The attributes of a job: a list of structs of one member.",
    async (call, { job_id }) => {
      const id = await jobOf(call, job_id);
      return lavaMetadata(call.deps, call.principal, id);
    },
  ),
  method(
    R + "make_custom_query",
    "read",
    { entity: name, conditions: text, limit: answerSize },
    "Jobs, suites or cases that fit: entity testjob, testsuite or testcase; conditions [table__]field__[operator__]value with commas between.",
    async (call, { entity, conditions, limit }) => {
      const { isEntity, parseConditions } = await import("../../domain/queries/conditions.ts");
      if (!isEntity(entity)) {
        throw new Fault(400, `entity: expected testjob, testsuite or testcase, not '${entity}'`);
      }
      const { runQuery } = await queries();
      const question = { entity, conditions: parseConditions(conditions, entity), limit };
      return asRows((await runQuery(call.deps, call.principal, question)).rows);
    },
  ),
  method(
    R + "run_query",
    "read",
    { query_name: name, limit: answerSize, username: maybe(name) },
    "What a saved query finds: the caller's, or that of the user who is named.",
    async (call, { query_name, limit, username }) => {
      const query = await saved(call, query_name, username);
      const { runQuery } = await queries();
      return asRows((await runQuery(call.deps, call.principal, { ...query, limit })).rows);
    },
  ),
  method(
    R + "refresh_query",
    "read",
    { query_name: name, username: maybe(name) },
    "Nothing: what a saved query finds is never old here. Refused for one that there is not.",
    async (call, { query_name, username }) => {
      await saved(call, query_name, username);
      return null;
    },
  ),
  method(
    R + "refresh_all_queries",
    "read",
    {},
    "Nothing: what saved queries find is never old here.",
    async ({ principal }) => {
      const { requireUser } = await import("../../domain/principal.ts");
      requireUser(principal);
      return null;
    },
  ),
];
