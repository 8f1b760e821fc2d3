import type { QueryView } from "#protocol/queries.ts";
import type { Condition, PutQuery } from "#protocol/saved-query.ts";
import { AppError } from "../app-error.ts";
import type { Deps } from "../deps.ts";
import { queryKey } from "../keys.ts";
import { queryAll } from "../query-all.ts";
import { without } from "../without.ts";
import { checked, conditionText, parseConditions } from "./conditions.ts";

/** All saved queries as they are in a lab as code: by OWNER/NAME, conditions as text where that says the same. */
export async function* readQueries(deps: Deps): AsyncGenerator<[name: string, query: PutQuery]> {
  for await (const { data } of queryAll<QueryView>(deps, "main", queryKey("", "").partition)) {
    yield [`${data.owner}/${data.name}`, plainQuery(without(data, "owner", "name", "changed"))];
  }
}

/** A query in the one form that every other one of its conditions becomes; as it is when they can't be asked. */
export function plainQuery(query: PutQuery): PutQuery {
  try {
    const conditions = conditionsOf(query);
    const text = conditions.map(conditionText).join(",");
    const isSame =
      JSON.stringify(readOr(text, query).map(listed)) === JSON.stringify(conditions.map(listed));
    return { ...query, conditions: isSame ? text : conditions };
  } catch (error) {
    if (error instanceof AppError) return query;
    throw error;
  }
}

/** Why a query can't be asked; undefined when it can. */
export function queryProblem(query: PutQuery): string | undefined {
  try {
    conditionsOf(query);
    return undefined;
  } catch (error) {
    if (error instanceof AppError) return error.message;
    throw error;
  }
}

/** The conditions of a query, given as text or as a list. Throws `invalid` for what can't be asked. */
export const conditionsOf = ({ conditions, entity }: PutQuery): Condition[] =>
  typeof conditions === "string" ? parseConditions(conditions, entity) : conditions.map(checked);

/** A value with a comma makes other conditions of the text, perhaps such as can't be asked. */
function readOr(text: string, { entity }: PutQuery): Condition[] {
  try {
    return parseConditions(text, entity);
  } catch {
    return [];
  }
}

const listed = ({ table, field, operator, value }: Condition) => [table, field, operator, value];
