import type { Context } from "hono";
import { AppError } from "../../domain/app-error.ts";
import type { Deps } from "../../domain/deps.ts";

/** A request that is wrong, in LAVA's words; its tokens are part of the request (API.md 1). */
export const bad = (message: string): AppError => new AppError("invalid", message);

/** Throws LAVA's word for what is not there. */
export function unknown(what: "job" | "worker", name: string): never {
  throw new AppError("not_found", `Unknown ${what} '${name.slice(0, 200)}'`);
}

const STATUS: Partial<Record<AppError["code"], 400 | 403 | 404 | 409 | 413 | 429 | 503>> = {
  invalid: 400,
  unauthenticated: 403,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  too_large: 413,
  throttled: 429,
  unavailable: 503,
};

/** An error as LAVA answers it: `{"error": "..."}`; a worker tries again later what is 500 or more. */
export function refusal(deps: Deps, error: unknown, c: Context): Response {
  if (error instanceof AppError) {
    const status = STATUS[error.code];
    if (error.retryAfterSeconds !== undefined) {
      c.header("retry-after", String(error.retryAfterSeconds));
    }
    if (status) return c.json({ error: error.message }, status);
  }
  deps.system.log("a stock worker's request failed", {
    path: c.req.path,
    error: error instanceof Error ? error.stack : String(error),
  });
  return c.json({ error: "an error of the control plane; its log has more" }, 500);
}
