import type { Context } from "hono";
import * as v from "valibot";
import type { Condition } from "#protocol/saved-query.ts";
import type { Deps } from "../domain/deps.ts";
import { someDeviceTypeNames } from "../domain/device-types.ts";
import type { Principal } from "../domain/principal.ts";
import { isTelling } from "../domain/queries/flaky-tests.ts";
import { listQueries } from "../domain/queries/saved-queries.ts";
import {
  MOST_COLUMNS,
  testsOverTime,
  type TestMatrix,
  type TestRow,
} from "../domain/queries/tests-over-time.ts";
import { namedQuery } from "../http/queries.ts";
import { parse } from "../http/read-body.ts";
import type { Env } from "../http/route.ts";
import { exported, exportFormat } from "./export-rows.ts";
import { optionalText } from "./page-query.ts";
import { ROWS_A_PAGE, SHOWN, TestsPage } from "./tests-page.tsx";
import type { View } from "./view.ts";

const count = v.optional(v.pipe(v.string(), v.regex(/^\d{1,6}$/, "expected a number")));
const testsQuery = v.object({
  ...{ query: optionalText, device_type: optionalText, name: optionalText },
  ...{ submitter: optionalText, test: optionalText, jobs: count, from: count },
  show: v.optional(v.picklist(SHOWN)),
  format: exportFormat,
});
type Asked = v.InferOutput<typeof testsQuery>;
const USUAL_COLUMNS = 20;

/** `/tests` */
export async function showTests(deps: Deps, c: Context<Env>, view: View): Promise<Response> {
  const { format, ...query } = parse(testsQuery, c.req.query(), "query");
  const { principal } = c.var;
  const conditions = await conditionsOf(deps, principal, query);
  const jobs = Math.min(Number(query.jobs ?? USUAL_COLUMNS), MOST_COLUMNS);
  const matrix = await testsOverTime(deps, principal, { conditions, jobs });
  const fitting = fittingRows(matrix, query);
  if (format !== undefined) return exported(c, format, "tests", fileRows(matrix, fitting));
  const from = Number(query.from ?? 0);
  const rows = fitting.slice(from, from + ROWS_A_PAGE);
  const deviceTypes = await someDeviceTypeNames(deps, principal);
  const queries = await queryNames(deps, principal);
  const shown = { view, query, matrix, rows, count: fitting.length, from, deviceTypes, queries };
  return c.html(<TestsPage {...shown} />) as Response;
}

async function conditionsOf(
  deps: Deps,
  principal: Principal,
  { query, device_type, name, submitter }: Asked,
): Promise<Condition[]> {
  const saved = query === undefined ? undefined : await namedQuery(deps, principal, query);
  const about = (field: string, operator: Condition["operator"], value: string | undefined) =>
    value === undefined ? [] : [{ table: "testjob" as const, field, operator, value }];
  return [
    ...(saved?.conditions ?? []),
    ...about("requested_device_type", "exact", device_type),
    ...about("description", "icontains", name),
    ...about("submitter", "exact", submitter),
  ];
}

function fittingRows({ tests }: TestMatrix, { show = "all", test = "" }: Asked): TestRow[] {
  const words = test.toLowerCase();
  const fits = {
    all: () => true,
    changed: ({ isChanged }: TestRow) => isChanged,
    flaky: ({ flips }: TestRow) => flips > 0,
    failing: ({ isFailing }: TestRow) => isFailing,
  }[show];
  const rows = tests.filter(
    (row) => fits(row) && `${row.suite} ${row.set ?? ""}/${row.name}`.toLowerCase().includes(words),
  );
  if (show !== "flaky")
    return rows.toSorted((a, b) => (a.suite < b.suite ? -1 : Number(a.suite > b.suite)));
  return rows.toSorted(
    (a, b) => Number(isTelling(b)) - Number(isTelling(a)) || (b.score ?? 0) - (a.score ?? 0),
  );
}

const fileRows = ({ jobs }: TestMatrix, rows: readonly TestRow[]) =>
  rows.map(({ suite, set, name, score, results }) => ({
    ...{ suite, set, name, score },
    ...Object.fromEntries(jobs.map(({ id }, n) => [`job ${id}`, results[n]])),
  }));

async function queryNames(deps: Deps, principal: Principal): Promise<string[]> {
  if (principal.kind !== "user" && principal.kind !== "session") return [];
  const { queries } = await listQueries(deps, principal, { limit: 100 });
  return queries.map(({ owner, name }) => `${owner}/${name}`);
}
