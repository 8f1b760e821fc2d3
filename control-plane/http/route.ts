import { Hono } from "hono";
import type { Context } from "hono";
import * as v from "valibot";
import { AppError } from "../domain/app-error.ts";
import type { Principal } from "../domain/principal.ts";

/** What the authentication middleware leaves for the handlers. */
export interface Env {
  Variables: {
    principal: Principal;
    /** The id that a sub id (`4212.1`) in the path stands for. */
    subJob?: number;
  };
}

/** A group of routes that need a principal. */
export const routes = () => new Hono<Env>();

/** What a handler of such a group is given. */
export type RouteContext = Context<Env>;

/** The job id of a path, or that of the member of a multinode group which it names; `not_found` when it is neither. */
export function jobIdOf(c: RouteContext): number {
  const text = c.req.param("id") ?? "";
  if (c.var.subJob !== undefined) return c.var.subJob;
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
