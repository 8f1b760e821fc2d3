import { Hono } from "hono";
import type { Context } from "hono";
import * as v from "valibot";
import { AppError } from "../domain/app-error.ts";
import type { Principal } from "../domain/principal.ts";

/** What the authentication middleware leaves for the handlers. */
export interface Env {
  Variables: { principal: Principal };
}

/** A group of routes that need a principal. */
export const routes = () => new Hono<Env>();

/** The job id of a path; `not_found` when it is no number. */
export function jobIdOf(c: Context): number {
  const text = c.req.param("id") ?? "";
  if (!/^[1-9]\d{0,14}$/.test(text)) {
    throw new AppError("not_found", `there is no job ${JSON.stringify(text)}: ids are numbers`);
  }
  return Number(text);
}

/** A number in a query string. */
export const queryNumber = v.pipe(
  v.string(),
  v.regex(/^\d{1,15}$/, "expected a number"),
  v.transform(Number),
);

/** Query of a list that comes in pages. */
export const pageQuery = v.object({
  limit: v.optional(queryNumber),
  cursor: v.optional(v.string()),
});
