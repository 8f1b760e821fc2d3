import { Hono } from "hono";
import { AppError } from "../../domain/app-error.ts";
import { requireOpen } from "../../domain/closed-lab.ts";
import type { Deps } from "../../domain/deps.ts";
import { stockPing } from "../../domain/stock-worker.ts";
import { authenticate } from "../../domain/tokens.ts";
import { getWorkerItem } from "../../domain/worker-record.ts";
import { ARCHIVE } from "../../http/archive.ts";
import { readText } from "../../http/read-body.ts";
import type { Env } from "../../http/route.ts";
import { stockJobRoutes } from "./job-routes.ts";
import { bad, refusal, unknown } from "./refusal.ts";
import { register } from "./register.ts";
import { stockTokens } from "./tokens.ts";

const BASE = "/scheduler/internal/v1";
/** Of whom nobody knows yet who they are. */
const MAX_REGISTER_BYTES = 64 * 1024;

/** What LAVA's own worker asks and reports (API.md 1), with LAVA's words for what is wrong. */
export function stockWorkerRoutes(deps: Deps): Hono<Env> {
  const app = new Hono<Env>();
  const tokens = stockTokens(deps);
  app.onError((error, c) => refusal(deps, error, c));
  app.use(`${BASE}/*`, async (c, next) => {
    c.header("cache-control", "no-store");
    // Also a worker's questions are signs of life, which are written down.
    if (deps.settings.archive) throw new AppError("forbidden", ARCHIVE);
    await requireOpen(deps);
    await next();
  });
  app.get(`${BASE}/workers/:name/`, async (c) => {
    const name = c.req.param("name");
    const principal = await authenticate(deps, tokens.of(c));
    if (principal?.kind !== "worker" || principal.name !== name) {
      await getWorkerItem(deps, name).catch(() => unknown("worker", name));
      throw tokens.wrong(c);
    }
    const version = c.req.query("version")?.slice(0, 100);
    if (!version) throw bad("Missing 'version'");
    const { plan, served, versions } = await stockPing(deps, principal, version);
    if (served || plan.cancel.length > 0 || plan.running.length > 0) return c.json(plan);
    return c.json({ error: `Version mismatch '${version}' vs '${versions.join("', '")}'` }, 409);
  });
  app.post(`${BASE}/workers/:name/`, () => {
    throw new AppError("forbidden", "POST is forbidden for such url");
  });
  app.post(`${BASE}/workers/`, async (c) => {
    const fields = new URLSearchParams(await readText(c.req.raw, MAX_REGISTER_BYTES));
    return c.json(await register(deps, c, fields));
  });
  app.route(`${BASE}/jobs`, stockJobRoutes(deps, tokens));
  app.all(`${BASE}/*`, (c) => {
    if (c.req.method !== "GET" || c.req.path.endsWith("/")) {
      return c.json({ error: "Not found, or not by this method" }, 404);
    }
    // As it came: what it says decoded need not be good for a header.
    const { pathname, search } = new URL(c.req.url);
    return c.redirect(`${pathname}/${search}`, 301);
  });
  return app;
}
