import { Hono } from "hono";
import { compress } from "hono/compress";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import { findVisibleSubJob } from "../domain/visible.ts";
import { openPrincipal } from "../http/open-principal.ts";
import type { Env } from "../http/route.ts";
import { accountPages } from "./account-routes.tsx";
import { adminPages } from "./admin-routes.tsx";
import { loadAssets } from "./assets.ts";
import { devicePages } from "./device-routes.tsx";
import { docsPages } from "./docs-routes.tsx";
import { errorResponse } from "./error-response.tsx";
import { jobPages } from "./job-routes.tsx";
import { labPages } from "./lab-routes.tsx";
import { resultPages } from "./results-routes.tsx";
import { searchPages } from "./search-routes.tsx";
import { securityHeaders } from "./security-headers.ts";
import { signInRoutes } from "./sign-in-routes.tsx";
import { submitPages } from "./submit-routes.tsx";
import { terminalPages } from "./terminal-routes.tsx";
import { themeRoutes } from "./theme-routes.ts";
import { makeView, type ViewOf } from "./view.ts";
import { welcomePages } from "./welcome-routes.tsx";

/** The pages, for browsers with a session. Mounted last: it answers every path that nothing else has. */
export function uiApp(deps: Deps): Hono<Env> {
  const app = new Hono<Env>();
  app.onError((error, c) => errorResponse(deps, error, c));
  app.use(securityHeaders(deps.settings.blobOrigin), compress());
  app.get("/assets/:name", async (c) => {
    const asset = (await loadAssets()).find(c.req.path);
    if (!asset) throw new AppError("not_found", `there is nothing at ${c.req.path}`);
    c.header("cache-control", "public, max-age=31536000, immutable");
    return c.body(asset.body, 200, { "content-type": asset.mediaType });
  });
  app.route("/", signInRoutes(deps));
  themeRoutes(app);
  docsPages(app, deps);
  app.use(async (c, next) => {
    c.set("principal", await openPrincipal(deps, c.req.raw));
    await next();
  });
  app.use("/jobs/:id/*", async (c, next) => {
    const id = await findVisibleSubJob(deps, c.var.principal, c.req.param("id"));
    if (id !== undefined) c.set("subJob", id);
    await next();
  });
  const view: ViewOf = (c) => makeView(deps, c, c.var.principal);
  welcomePages(app, deps, view);
  jobPages(app, deps, view);
  submitPages(app, deps, view);
  labPages(app, deps, view);
  devicePages(app, deps, view);
  accountPages(app, deps);
  adminPages(app, deps, view);
  searchPages(app, deps, view);
  terminalPages(app, deps);
  resultPages(app, deps, view);
  app.all("*", (c) => {
    throw new AppError("not_found", `there is nothing at ${c.req.path}`);
  });
  return app;
}
