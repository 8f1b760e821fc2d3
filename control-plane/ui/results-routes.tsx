import type { Hono } from "hono";
import type { Deps } from "../domain/deps.ts";
import { requireReader } from "../domain/principal.ts";
import type { Env } from "../http/route.ts";
import { queryPages } from "./query-routes.tsx";
import type { ViewOf } from "./view.ts";

/** The list of jobs, their tests over time, comparisons and reports; what each needs is loaded when it is asked for. */
export function resultPages(app: Hono<Env>, deps: Deps, viewOf: ViewOf): void {
  const list = () => import("./jobs-list.tsx");
  app.get("/", async (c) => (await list()).showJobs(deps, c, await viewOf(c)));
  app.get("/jobs", (c) => {
    requireReader(c.var.principal);
    return c.redirect("/");
  });
  queryPages(app, deps, viewOf);
  app.post("/views", async (c) => (await list()).saveViewByForm(deps, c));
  app.post("/views/remove", async (c) => (await list()).removeViewByForm(deps, c));
}
