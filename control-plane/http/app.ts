import { Hono, type Context } from "hono";
import type { Problem } from "#protocol/api.ts";
import { VERSION } from "#protocol/version.ts";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import { findVisibleSubJob } from "../domain/visible.ts";
import { readsOnly } from "./archive.ts";
import { backupRoutes } from "./backup.ts";
import { baseHeaders } from "./base-headers.ts";
import { clientAddress } from "./client-address.ts";
import { consoleRoutes } from "./consoles.ts";
import { devicePhotoRoutes } from "./device-photos.ts";
import { deviceTextRoutes } from "./device-texts.ts";
import { deviceTypeRoutes } from "./device-types.ts";
import { deviceRoutes } from "./devices.ts";
import { enrolRoutes } from "./enrol.ts";
import { makeFailureLimit, type FailureLimit } from "./failure-limit.ts";
import { eventRoutes } from "./events.ts";
import { jobLogRoutes } from "./job-log.ts";
import { jobReportRoutes } from "./job-reports.ts";
import { jobRoutes } from "./jobs.ts";
import { labRoutes } from "./lab.ts";
import { labListRoutes } from "./lab-lists.ts";
import { healthCheckRoutes, templateRoutes } from "./lab-texts.ts";
import { multinodeRoutes } from "./multinode.ts";
import { noticeRoutes } from "./notices.ts";
import { openPrincipal } from "./open-principal.ts";
import { peopleSecretRoutes } from "./people-secrets.ts";
import { peopleRoutes } from "./people.ts";
import { principalOf } from "./principal-of.ts";
import { problemResponse } from "./problem.ts";
import type { Env } from "./route.ts";
import { releaseRoutes } from "./releases.ts";
import { resultRoutes } from "./results.ts";
import { reservationRoutes } from "./reservations.ts";
import { queryRoutes } from "./queries.ts";
import { queueRoutes } from "./queue.ts";
import { retentionRoutes } from "./retention.ts";
import { openapiRoutes, schemaRoutes } from "./schemas.ts";
import { settingsRoutes } from "./settings.ts";
import { terminalSignInRoutes } from "./terminal-sign-in.ts";
import { tokenRoutes } from "./tokens.ts";
import { windowRoutes } from "./windows.ts";
import { workerTextRoutes } from "./worker-texts.ts";
import { workerRoutes } from "./workers.ts";

const API = "/api/v1";

/** Answers an error as whoever asks wants it: browsers get a page. */
export type ShowError = (error: unknown, c: Context<Env>) => Promise<Response>;

/**
 * The HTTP API. Everything else, pages with sign-in and the engine's blobs, is mounted beside it. `showError` answers browsers
 * what was refused on the way to a page.
 */
export function createApp(deps: Deps, showError?: ShowError): Hono<Env> {
  const app = new Hono<Env>();
  app.onError((error, c) =>
    showError && !c.req.path.startsWith(`${API}/`)
      ? showError(error, c)
      : problemResponse(deps, error, c),
  );
  app.use("*", baseHeaders);
  app.use(`${API}/*`, async (c, next) => {
    c.header("cache-control", "no-store");
    await next();
  });
  if (deps.settings.archive) app.use("*", readsOnly);
  app.get(`${API}/health`, (c) =>
    c.json({ status: "ok", version: VERSION, engine: deps.settings.engine }),
  );
  app.route(API, openapiRoutes());
  const failures = makeFailureLimit(() => deps.system.now());
  app.route(API, enrolRoutes(deps, failures));
  app.route(API, terminalSignInRoutes(deps, failures));
  app.use(`${API}/*`, async (c, next) => {
    const isBackup = c.req.path.startsWith(`${API}/backup/`);
    const find = isBackup ? principalOf : openPrincipal;
    const address = clientAddress(c);
    const principal = find(deps, c.req.raw);
    const isGiven = c.req.header("authorization") !== undefined;
    c.set("principal", await (isGiven ? counted(failures, address, principal) : principal));
    await next();
  });
  app.use(`${API}/jobs/:id/*`, async (c, next) => {
    const id = await findVisibleSubJob(deps, c.var.principal, c.req.param("id"));
    if (id !== undefined) c.set("subJob", id);
    await next();
  });
  for (const resource of [
    jobRoutes,
    resultRoutes,
    queryRoutes,
    retentionRoutes,
    multinodeRoutes,
    jobLogRoutes,
    jobReportRoutes,
    eventRoutes,
    noticeRoutes,
    deviceRoutes,
    deviceTextRoutes,
    devicePhotoRoutes,
    deviceTypeRoutes,
    templateRoutes,
    healthCheckRoutes,
    labListRoutes,
    labRoutes,
    settingsRoutes,
    reservationRoutes,
    consoleRoutes,
    windowRoutes,
    queueRoutes,
    workerRoutes,
    workerTextRoutes,
    releaseRoutes,
    tokenRoutes,
    peopleRoutes,
    peopleSecretRoutes,
    backupRoutes,
  ]) {
    app.route(API, resource(deps));
  }
  app.route("/schemas", schemaRoutes());
  refuseOtherMethods(app);
  app.all(`${API}/*`, (c) => {
    throw new AppError("not_found", `there is nothing at ${c.req.path}`);
  });
  app.notFound((c) => {
    const problem: Problem = { code: "not_found", message: `there is nothing at ${c.req.path}` };
    return c.json(problem, 404);
  });
  return app;
}

/** A token that is not valid counts, and is answered `throttled` beyond the limit; valid ones always pass. */
async function counted<T>(failures: FailureLimit, address: string, found: Promise<T>): Promise<T> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof AppError && error.code === "unauthenticated") {
      failures.check(address);
      failures.note(address);
    }
    throw error;
  }
}

/** A path that is known by another method is 405, not 404. */
function refuseOtherMethods(app: Hono<Env>): void {
  const methods = new Map<string, Set<string>>();
  for (const { path, method } of app.routes) {
    if (method === "ALL") continue;
    methods.set(path, (methods.get(path) ?? new Set()).add(method));
  }
  for (const [path, allowed] of methods) {
    app.all(path, (c) => {
      const list = [...allowed].join(", ");
      c.header("allow", list);
      throw new AppError("not_allowed", `${c.req.path} takes ${list}, not ${c.req.method}`);
    });
  }
}
