import * as v from "valibot";
import { userName } from "./people.ts";
import { scopesSchema } from "./sign-in.ts";

/** API tokens and links that sign a browser in: `/api/v1/tokens`, `/sign-in-links`. */

const time = v.string();

export const tokenViewSchema = v.object({
  id: v.string(),
  kind: v.picklist(["user", "worker", "session"]),
  /** User or worker that the token speaks for. */
  subject: v.string(),
  admin: v.boolean(),
  description: v.string(),
  created: time,
  expires: v.optional(time),
  /** All that its person may when absent. */
  scopes: v.optional(scopesSchema),
  /** To the hour; absent of what nobody has used. */
  last_used: v.optional(time),
});
export type TokenView = v.InferOutput<typeof tokenViewSchema>;
export const tokenListSchema = v.object({ tokens: v.array(tokenViewSchema) });

/** Ten years. */
export const LONGEST_TOKEN_SECONDS = 10 * 366 * 86_400;

/** `POST /api/v1/tokens` answers 201 with the token; it is shown this once. */
export const addTokenSchema = v.object({
  subject: userName,
  description: v.optional(v.pipe(v.string(), v.maxLength(200)), ""),
  /** False: it is no administrator's, even when its person is one. */
  admin: v.optional(v.boolean()),
  scopes: v.optional(scopesSchema),
  expires_seconds: v.optional(
    v.pipe(
      v.number(),
      v.integer(),
      v.minValue(60, "expected at least a minute"),
      v.maxValue(LONGEST_TOKEN_SECONDS, "expected at most ten years"),
    ),
  ),
});
export type AddToken = v.InferOutput<typeof addTokenSchema>;
export const addedTokenSchema = v.object({
  id: v.string(),
  token: v.string(),
  expires: v.optional(time),
});
export type AddedToken = v.InferOutput<typeof addedTokenSchema>;

/** `POST /api/v1/tokens/ID/rotate` answers as that: a token like it, which ends after the overlap. */
export const rotateTokenSchema = v.object({
  overlap_seconds: v.optional(
    v.pipe(
      v.number(),
      v.integer(),
      v.minValue(0),
      v.maxValue(7 * 86_400, "expected at most 7 days"),
    ),
    0,
  ),
});

/** `POST /api/v1/sign-in-links`: a link that signs a browser in once, within ten minutes. */
export const signInLinkSchema = v.object({ url: v.string(), expires: time });
