import type { Hono } from "hono";
import type { Deps } from "../../domain/deps.ts";
import { routes, type Env } from "../../http/route.ts";
import { bookmarkRoutes } from "./bookmarks.ts";
import { resultUrlRoutes } from "./result-urls.ts";
import { schedulerUrlRoutes } from "./scheduler-urls.ts";

/** The addresses of LAVA's pages: files that scripts fetch are served, people's bookmarks lead to our pages (API.md 5). */
export function lavaWebUrls(deps: Deps): Hono<Env> {
  const app = routes();
  for (const group of [schedulerUrlRoutes, resultUrlRoutes, bookmarkRoutes]) {
    app.route("/", group(deps));
  }
  return app;
}
