import { Hono } from "hono";
import type { Deps } from "../domain/deps.ts";
import { problemResponse } from "../http/problem.ts";
import type { Env } from "../http/route.ts";
import { eventsPlace } from "./events/events-place.ts";
import { restApi } from "./rest/rest-app.ts";
import { lavaWebUrls } from "./web-urls/web-urls.ts";
import { stockWorkerRoutes } from "./stock-worker/stock-worker-routes.ts";
import { xmlRpcApp } from "./xmlrpc/xmlrpc-app.ts";

/**
 * LAVA's own surfaces, for its clients and stock workers (API.md): a thin layer over the same rules. Each file of routes loads what
 * it needs when it is asked.
 */
export function lavaApp(deps: Deps): Hono<Env> {
  const app = new Hono<Env>();
  app.onError((error, c) => problemResponse(deps, error, c));
  const surfaces: ((deps: Deps) => Hono<Env>)[] = [
    stockWorkerRoutes,
    restApi,
    xmlRpcApp,
    lavaWebUrls,
    eventsPlace,
  ];
  for (const surface of surfaces) app.route("/", surface(deps));
  return app;
}
