import type { Context } from "hono";
import * as v from "valibot";
import type { TextRecord } from "../domain/texts.ts";
import { parse } from "./read-body.ts";
import type { Env } from "./route.ts";

/** Of a text that is the body of a request; the rules have a limit of their own. */
export const MAX_TEXT_BYTES = 1024 * 1024;

const query = v.object({ comment: v.optional(v.pipe(v.string(), v.maxLength(1000)), "") });
const ifMatch = v.optional(
  v.pipe(
    v.string(),
    v.regex(/^"?\d{1,12}"?$/, 'expected the etag of an earlier answer, such as "3"'),
    v.transform((tag) => Number(tag.replaceAll('"', ""))),
  ),
);

/** What a request says of its change: `?comment=`, and `If-Match` with the version that it replaces. */
export function howChanged(c: Context<Env>): { comment: string; ifVersion: number | undefined } {
  const { comment } = parse(query, c.req.query(), "query");
  return { comment, ifVersion: parse(ifMatch, c.req.header("if-match"), "If-Match") };
}

/** A text as it was put; its version is the entity tag. */
export function textResponse(
  c: Context<Env>,
  { text, version }: TextRecord,
  contentType = "text/plain; charset=utf-8",
): Response {
  return c.body(text, 200, { "content-type": contentType, etag: `"${version}"` });
}
