import type { Hono } from "hono";
import type { Deps } from "../domain/deps.ts";
import { requireReader } from "../domain/principal.ts";
import type { Env } from "../http/route.ts";
import type { ViewOf } from "./view.ts";

/** The list of jobs, their tests over time, comparisons and reports; what each needs is loaded when it is asked for. */
export function resultPages(app: Hono<Env>, deps: Deps, viewOf: ViewOf): void {
  const list = () => import("./jobs-list.tsx");
  app.get("/", async (c) => (await list()).showJobs(deps, c, await viewOf(c)));
  app.get("/jobs", (c) => {
    requireReader(c.var.principal);
    return c.redirect("/");
  });
  app.post("/views", async (c) => (await list()).saveViewByForm(deps, c));
  app.post("/views/remove", async (c) => (await list()).removeViewByForm(deps, c));
  app.get("/compare", async (c) =>
    (await import("./compare-handler.tsx")).showComparison(deps, c, await viewOf(c)),
  );
  app.get("/tests", async (c) =>
    (await import("./tests-handler.tsx")).showTests(deps, c, await viewOf(c)),
  );
  const suites = () => import("./suites-handler.tsx");
  app.get("/tests/latest", async (c) => (await suites()).showLatest(deps, c, await viewOf(c)));
  app.get("/jobs/:id/suites", async (c) => (await suites()).showSuites(deps, c, await viewOf(c)));
  app.get("/jobs/:id/suites/:suite", async (c) =>
    (await suites()).showSuite(deps, c, await viewOf(c)),
  );
  app.get("/jobs/:id/suites/:suite/:case", async (c) =>
    (await suites()).showCase(deps, c, await viewOf(c)),
  );
  app.get("/reports", async (c) =>
    (await import("./reports-handler.tsx")).showReports(deps, c, await viewOf(c)),
  );
  queryPages(app, deps, viewOf);
}

/** `/queries`, `/queries/OWNER/NAME` and their forms. */
function queryPages(app: Hono<Env>, deps: Deps, viewOf: ViewOf): void {
  const pages = () => import("./query-handlers.tsx");
  const forms = () => import("./query-edit.tsx");
  app.get("/queries", async (c) => (await pages()).showQueries(deps, c, await viewOf(c)));
  app.post("/queries", async (c) => (await forms()).putQueryByForm(deps, c, await viewOf(c)));
  app.get("/queries/new", async (c) => (await forms()).showNewQuery(c, await viewOf(c)));
  app.get("/queries/:owner/:name", async (c) =>
    (await pages()).showQuery(deps, c, await viewOf(c)),
  );
  app.post("/queries/:owner/:name", async (c) =>
    (await forms()).putQueryByForm(deps, c, await viewOf(c)),
  );
  app.get("/queries/:owner/:name/edit", async (c) =>
    (await forms()).showEditQuery(deps, c, await viewOf(c)),
  );
  app.post("/queries/:owner/:name/remove", async (c) => (await forms()).removeQueryByForm(deps, c));
}
