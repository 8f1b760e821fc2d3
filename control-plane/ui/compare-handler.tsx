import type { Context } from "hono";
import * as v from "valibot";
import type { Comparison } from "#protocol/queries.ts";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import { requireReader } from "../domain/principal.ts";
import { compareSides } from "../domain/queries/compared-sides.ts";
import { parse } from "../http/read-body.ts";
import type { Env } from "../http/route.ts";
import { ComparePage, KINDS } from "./compare-page.tsx";
import { exported, exportFormat } from "./export-rows.ts";
import { optionalText } from "./page-query.ts";
import type { View } from "./view.ts";

const compareQuery = v.object({
  ...{ before: optionalText, after: optionalText, a: optionalText, b: optionalText },
  format: exportFormat,
});

/** `/compare?before=&after=`; without both it asks for them. */
export async function showComparison(deps: Deps, c: Context<Env>, view: View): Promise<Response> {
  requireReader(c.var.principal);
  const { a, b, format, ...query } = parse(compareQuery, c.req.query(), "query");
  const { before = a ?? "", after = b ?? "" } = query;
  const sides = { before, after };
  if (before === "" || after === "") {
    return c.html(<ComparePage {...{ view, sides }} />) as Response;
  }
  try {
    const comparison = await compareSides(deps, c.var.principal, [before, after]);
    if (format !== undefined) return exported(c, format, "comparison", rowsOf(comparison));
    return c.html(<ComparePage {...{ view, sides, comparison }} />) as Response;
  } catch (error) {
    if (!(error instanceof AppError) || !["invalid", "not_found"].includes(error.code)) throw error;
    c.status(error.code === "invalid" ? 400 : 404);
    return c.html(<ComparePage {...{ view, sides }} refusal={error.message} />) as Response;
  }
}

const rowsOf = (comparison: Comparison) => [
  ...KINDS.flatMap(([kind]) => comparison[kind].cases.map((one) => ({ kind, ...one }))),
  ...comparison.measurements.cases.map((one) => ({ kind: "measurement", ...one })),
];
