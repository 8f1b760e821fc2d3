import type { Context } from "hono";
import type { ErrorCode, Problem } from "#protocol/api.ts";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import { Unavailable } from "../ports/unavailable.ts";

/** The one place where an error becomes a status. */
const STATUS = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  not_allowed: 405,
  conflict: 409,
  gone: 410,
  too_large: 413,
  throttled: 429,
  unavailable: 503,
  internal: 500,
} as const satisfies Record<ErrorCode, number>;

/** The answer to a request that failed. What is not an `AppError` is logged with an id that the answer names. */
export function problemResponse(deps: Deps, thrown: unknown, c: Context): Response {
  const error = thrown instanceof Unavailable ? busy(thrown) : thrown;
  if (error instanceof AppError) {
    const { code, message, problems, nextLine, context, cause } = error;
    if (context || code === "unavailable") {
      deps.system.log(message, { code, path: c.req.path, ...context, cause: String(cause) });
    }
    const problem: Problem = {
      code,
      message,
      ...(problems ? { problems } : {}),
      ...(nextLine === undefined ? {} : { next_line: nextLine }),
    };
    const { retryAfterSeconds = code === "unavailable" ? 1 : undefined } = error;
    if (retryAfterSeconds !== undefined) c.header("retry-after", String(retryAfterSeconds));
    if (code === "unauthenticated") c.header("www-authenticate", "Bearer");
    return c.json(problem, STATUS[code]);
  }
  const request_id = deps.system.id();
  deps.system.log("request failed", {
    request_id,
    method: c.req.method,
    path: c.req.path,
    error: error instanceof Error ? error.stack : String(error),
  });
  const message = `an error of the control plane; its log has more under ${request_id}`;
  return c.json({ code: "internal", message, request_id } satisfies Problem, STATUS.internal);
}

/** The engine's services had no time for us. */
const busy = (cause: Unavailable): AppError =>
  new AppError("unavailable", "the lab's storage is busy; try again in a moment", { cause });
