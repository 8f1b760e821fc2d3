import * as v from "valibot";
import { scopesSchema } from "./sign-in.ts";

/**
 * Signing a terminal in through a browser (`pumice sign-in --browser`): the terminal begins and shows a code, a person who is
 * signed in types it on the page and sees what for, the terminal comes back for its token.
 */

const DAY_SECONDS = 86_400;

/** `POST /api/v1/terminal-sign-ins`, without a token. */
export const beginTerminalSchema = v.strictObject({
  /** What the token is to be good for. */
  scopes: v.optional(scopesSchema, ["submit"]),
  expires_seconds: v.optional(
    v.pipe(
      v.number("expected seconds"),
      v.integer("expected whole seconds"),
      v.minValue(60, "expected at least a minute"),
      v.maxValue(366 * DAY_SECONDS, "expected at most a year"),
    ),
    30 * DAY_SECONDS,
  ),
  /** Which machine asks, as it calls itself. */
  machine: v.optional(v.pipe(v.string(), v.maxLength(100, "expected at most 100 characters")), ""),
});
export type BeginTerminal = v.InferOutput<typeof beginTerminalSchema>;

export interface BegunTerminal {
  /** The page on which the code is typed, a path of the lab. */
  readonly page: string;
  /** For the person: `BCDF-GHJK`. */
  readonly code: string;
  /** For the terminal alone. */
  readonly secret: string;
  /** When both are worth nothing any more. */
  readonly expires: string;
  /** How often to come back. */
  readonly poll_seconds: number;
}

/** `POST /api/v1/terminal-sign-ins/redeem`, without a token. */
export const redeemTerminalSchema = v.strictObject({
  secret: v.pipe(v.string(), v.maxLength(200)),
});
/** `waiting`: nobody has answered yet. The token is shown this once. */
export type RedeemedTerminal =
  | { readonly state: "waiting" }
  | {
      readonly state: "done";
      readonly name: string;
      readonly id: string;
      readonly token: string;
      readonly expires?: string | undefined;
    };
