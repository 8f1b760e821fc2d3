import type { Context, MiddlewareHandler } from "hono";
import type { ErrorCode } from "#protocol/api.ts";
import type { Scope } from "#protocol/sign-in.ts";
import { AppError } from "../../domain/app-error.ts";
import type { Deps } from "../../domain/deps.ts";
import { requireReader, requireUser } from "../../domain/principal.ts";
import { problemResponse } from "../../http/problem.ts";
import { routes, type Env } from "../../http/route.ts";
import { lavaPrincipal, requireLavaScope } from "../lava-principal.ts";

/** A refusal in the words and shape of LAVA's REST API: `{"detail": ...}`, `{"message": ...}` or a list of messages by field. */
export class RestRefusal extends Error {
  override readonly name = "RestRefusal";
  readonly status: 400 | 404 | 405 | 415;
  readonly body: object;

  constructor(status: 400 | 404 | 405 | 415, body: object) {
    super(JSON.stringify(body));
    this.status = status;
    this.body = body;
  }
}

/** What is wrong with one field. */
export const badField = (field: string, message: string): RestRefusal =>
  new RestRefusal(400, { [field]: [message] });

/** Who has no token is 403 there, not 401. */
const STATUS: Partial<Record<ErrorCode, 400 | 403 | 404 | 405 | 409 | 410 | 413 | 429>> = {
  invalid: 400,
  unauthenticated: 403,
  forbidden: 403,
  not_found: 404,
  not_allowed: 405,
  conflict: 409,
  gone: 410,
  too_large: 413,
  throttled: 429,
};

/** The answer to a request that failed; what nobody foresaw is logged as everywhere. */
export function restProblem(deps: Deps, error: unknown, c: Context): Response {
  if (error instanceof RestRefusal) return c.json(error.body, error.status);
  const status = error instanceof AppError ? STATUS[error.code] : undefined;
  if (!(error instanceof AppError) || status === undefined) return problemResponse(deps, error, c);
  if (error.retryAfterSeconds !== undefined) {
    c.header("retry-after", String(error.retryAfterSeconds));
  }
  return c.json({ detail: detailOf(error, c) }, status);
}

/** Scripts compare these sentences. */
function detailOf({ code, message }: AppError, c: Context): string {
  if (code === "not_found") return "Not found.";
  if (code !== "unauthenticated") return message;
  return c.req.header("authorization") === undefined
    ? "Authentication credentials were not provided."
    : "Invalid token.";
}

/** Before a handler: who asks, and whether they may what needs this scope. */
export const needs =
  (deps: Deps, scope: Scope): MiddlewareHandler<Env> =>
  async (c, next) => {
    const principal = await lavaPrincipal(deps, c);
    await requireLavaScope(deps, principal, scope);
    c.set("principal", requireReader(principal));
    await next();
  };

/** The same for what nobody may ask without a token, though it changes nothing. */
export const needsUser =
  (deps: Deps): MiddlewareHandler<Env> =>
  async (c, next) => {
    c.set("principal", requireUser(await lavaPrincipal(deps, c)));
    await next();
  };

/** A group of routes with answers to failures as LAVA gives them. */
export function restRoutes(deps: Deps) {
  const app = routes();
  app.onError((error, c) => restProblem(deps, error, c));
  return app;
}
