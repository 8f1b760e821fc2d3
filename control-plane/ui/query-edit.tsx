import type { Context } from "hono";
import type { QueryView } from "#protocol/queries.ts";
import {
  OPERATORS,
  queryName,
  rowLimit,
  TABLES,
  type Condition,
  type PutQuery,
} from "#protocol/saved-query.ts";
import * as v from "valibot";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import { requireUser } from "../domain/principal.ts";
import { checked, isEntity } from "../domain/queries/conditions.ts";
import { runQuery } from "../domain/queries/run-query.ts";
import {
  getQuery,
  putQuery,
  removeQuery,
  requireQueryChange,
} from "../domain/queries/saved-queries.ts";
import { readText } from "../http/read-body.ts";
import type { Env } from "../http/route.ts";
import { queryPath } from "./queries-page.tsx";
import { QueryFormPage, type ConditionRow, type QueryFields } from "./query-form.tsx";
import type { View } from "./view.ts";

const MOST_CONDITIONS = 20;
const BLANK_ROWS = 3;
const MAX_FORM_BYTES = 128 * 1024;
const TRIED_ROWS = 20;

const blankRow = (): ConditionRow => ({
  table: "testjob",
  field: "",
  operator: "exact",
  value: "",
});
const withBlanks = (rows: ConditionRow[]): ConditionRow[] =>
  [...rows, ...Array.from({ length: BLANK_ROWS }, blankRow)].slice(0, MOST_CONDITIONS);

/** `/queries/new` */
export async function showNewQuery(c: Context<Env>, view: View): Promise<Response> {
  const { groups } = requireUser(c.var.principal);
  const fields: QueryFields = {
    ...{ name: "", description: "", entity: "testjob", limit: "200", published: false, group: "" },
    conditions: withBlanks([]),
  };
  return c.html(<QueryFormPage {...{ view, fields, groups, path: "/queries" }} />) as Response;
}

/** `/queries/OWNER/NAME/edit` */
export async function showEditQuery(deps: Deps, c: Context<Env>, view: View): Promise<Response> {
  const user = requireUser(c.var.principal);
  const query = await queryOf(deps, c);
  requireQueryChange(user, query.owner, query);
  const { name, description, entity, limit, published, group = "", conditions } = query;
  const fields = {
    ...{ name, description, entity, limit: String(limit), published, group },
    conditions: withBlanks([...conditions]),
  };
  const { groups } = user;
  const title = `${query.owner}/${name}`;
  return c.html(
    <QueryFormPage {...{ view, fields, groups, title, path: queryPath(query) }} />,
  ) as Response;
}

/** Saves a new query or one that is there, tries it, or gives it more rows; what is refused is shown with the reason. */
export async function putQueryByForm(deps: Deps, c: Context<Env>, view: View): Promise<Response> {
  const user = requireUser(c.var.principal);
  const isNew = c.req.param("owner") === undefined;
  const old = isNew ? undefined : await queryOf(deps, c);
  if (old) requireQueryChange(user, old.owner, old);
  const form = new URLSearchParams(await readText(c.req.raw, MAX_FORM_BYTES));
  const fields = fieldsOf(form);
  const { groups } = user;
  const title = old && `${old.owner}/${old.name}`;
  const shown = { view, groups, title, path: old ? queryPath(old) : "/queries" };
  const again = (more: object, status: 200 | 400 | 409) => {
    c.status(status);
    const withRows = { ...fields, conditions: withBlanks(fields.conditions) };
    return c.html(<QueryFormPage {...shown} fields={withRows} {...more} />) as Response;
  };
  const what = form.get("do") ?? "save";
  if (what === "more") return again({}, 200);
  try {
    const query = requestOf(fields);
    if (what === "try") {
      const conditions = query.conditions as Condition[];
      const asked = { entity: query.entity, conditions, limit: TRIED_ROWS };
      return again({ answer: await runQuery(deps, user, asked) }, 200);
    }
    const which = [old?.owner ?? user.name, old?.name ?? fields.name] as const;
    if (isNew) await requireFree(deps, c, which);
    return c.redirect(queryPath(await putQuery(deps, user, which, query)), 303);
  } catch (error) {
    if (!(error instanceof AppError) || !["invalid", "conflict"].includes(error.code)) throw error;
    return again({ refusal: error.message }, error.code === "invalid" ? 400 : 409);
  }
}

export async function removeQueryByForm(deps: Deps, c: Context<Env>): Promise<Response> {
  const [owner = "", name = ""] = [c.req.param("owner"), c.req.param("name")];
  await removeQuery(deps, c.var.principal, owner, name);
  return c.redirect("/queries", 303);
}

const queryOf = (deps: Deps, c: Context<Env>): Promise<QueryView> =>
  getQuery(deps, c.var.principal, c.req.param("owner") ?? "", c.req.param("name") ?? "");

function fieldsOf(form: URLSearchParams): QueryFields {
  const of = (name: string): string => (form.get(name) ?? "").trim();
  const rows = Array.from({ length: MOST_CONDITIONS }, (_none, n) => ({
    table: of(`table${n}`),
    field: of(`field${n}`),
    operator: of(`operator${n}`),
    value: of(`value${n}`),
  })).filter(({ field }) => field !== "");
  return {
    ...{ name: of("name"), description: of("description"), entity: of("entity") || "testjob" },
    ...{ limit: of("limit") || "200", published: form.has("published"), group: of("group") },
    conditions: rows.map((row) => ({ ...row, problem: problemOf(row) })),
  };
}

function problemOf(row: ConditionRow): string | undefined {
  try {
    conditionOf(row);
    return undefined;
  } catch (error) {
    if (error instanceof AppError) return error.message;
    throw error;
  }
}

function conditionOf({ table: of, field, operator: by, value }: ConditionRow): Condition {
  const table = TABLES.find((one) => one === of);
  const operator = OPERATORS.find((one) => one === by);
  if (!table || !operator) throw new AppError("invalid", `${of} ${field} ${by}: expected others`);
  return checked({ table, field, operator, value });
}

/** Throws `invalid`. */
function requestOf(fields: QueryFields): PutQuery {
  const { entity, description, published, group, conditions } = fields;
  const bad = conditions.filter(({ problem }) => problem !== undefined).length;
  if (bad > 0) throw new AppError("invalid", `${bad} of the conditions can't be asked: see below`);
  const limit = v.safeParse(rowLimit, Number(fields.limit));
  if (!limit.success) throw new AppError("invalid", `rows at a time: ${limit.issues[0].message}`);
  if (!isEntity(entity)) throw new AppError("invalid", "rows: expected jobs, suites or cases");
  return {
    ...{ entity, description: description.slice(0, 1000), published, limit: limit.output },
    conditions: conditions.map(conditionOf),
    ...(group === "" ? {} : { group }),
  };
}

async function requireFree(
  deps: Deps,
  c: Context<Env>,
  [owner, name]: readonly [string, string],
): Promise<void> {
  if (!v.is(queryName, name)) {
    throw new AppError("invalid", "name: expected letters, digits, `.`, `_` and `-`");
  }
  const found = await getQuery(deps, c.var.principal, owner, name).catch((error: unknown) => {
    if (error instanceof AppError && error.code === "not_found") return undefined;
    throw error;
  });
  if (found) throw new AppError("conflict", `you have a query ${name} already: edit that one`);
}
