import type { Context } from "hono";
import type { AppError } from "../../domain/app-error.ts";
import type { Deps } from "../../domain/deps.ts";
import { clientAddress } from "../../http/client-address.ts";
import { makeFailureLimit } from "../../http/failure-limit.ts";
import { bad } from "./refusal.ts";

/** The tokens of a stock worker's requests, in the header `LAVA-Token`. */
export interface Tokens {
  /** Throws when there is none. */
  of(c: Context): string;
  /**
   * What is answered to a wrong one, which counts against its sender, but not against a worker at the same address whose
   * token is good. Throws `throttled` after too many.
   */
  wrong(c: Context): AppError;
}

/** Counts wrong tokens in this process. */
export function stockTokens({ system }: Deps): Tokens {
  const failures = makeFailureLimit(() => system.now());
  return {
    of(c) {
      const token = c.req.header("lava-token");
      if (token === undefined || token === "") throw bad("Missing 'token'");
      return token;
    },
    wrong(c) {
      failures.check(clientAddress(c));
      failures.note(clientAddress(c));
      return bad("Invalid 'token'");
    },
  };
}
