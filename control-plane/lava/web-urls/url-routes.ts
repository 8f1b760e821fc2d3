import type { MiddlewareHandler } from "hono";
import { AppError } from "../../domain/app-error.ts";
import type { Deps } from "../../domain/deps.ts";
import { requireReader } from "../../domain/principal.ts";
import { problemResponse } from "../../http/problem.ts";
import { routes, type Env } from "../../http/route.ts";
import { lavaPrincipal, requireLavaScope } from "../lava-principal.ts";

/** A group of routes whose failures are told as everywhere in Pumice. */
export function urlRoutes(deps: Deps) {
  const app = routes();
  app.onError((error, c) => problemResponse(deps, error, c));
  return app;
}

/** Who asks; a script may give its token in the address, as `?user=NAME&token=TOKEN`, which we don't take. */
export const reads =
  (deps: Deps): MiddlewareHandler<Env> =>
  async (c, next) => {
    if (c.req.query("token") !== undefined && c.req.header("authorization") === undefined) {
      const message =
        "a token in an address ends up in logs: send it as a header, `Authorization: Token TOKEN`";
      throw new AppError("invalid", message);
    }
    const principal = await lavaPrincipal(deps, c);
    await requireLavaScope(deps, principal, "read");
    c.set("principal", requireReader(principal));
    c.header("cache-control", "no-store");
    await next();
  };
