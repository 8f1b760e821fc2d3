import type { Hono } from "hono";
import type { Deps } from "../../domain/deps.ts";
import type { Env, RouteContext } from "../../http/route.ts";
import { restDeviceFileRoutes } from "./device-files.ts";
import { restDeviceTypeFileRoutes, restDeviceTypeRoutes } from "./device-types.ts";
import { restDeviceRoutes } from "./devices.ts";
import { needs, RestRefusal, restRoutes } from "./drf.ts";
import { restJobChangeRoutes } from "./job-changes.ts";
import { restFileRoutes } from "./job-files.ts";
import { restResultRoutes } from "./job-results.ts";
import { restJobRoutes, restValidateRoutes } from "./jobs.ts";
import { restAliasRoutes, restTagRoutes } from "./named-lists.ts";
import { addressOf } from "./pages.ts";
import { restPeopleRoutes, restSecretRoutes } from "./people.ts";
import { restPermissionRoutes } from "./permissions.ts";
import { restSystemRoutes } from "./system.ts";
import { restWorkerFileRoutes, restWorkerRoutes } from "./workers.ts";

const ROOT = "/api/v0.2";
const COLLECTIONS = [
  "aliases",
  "devices",
  "devicetypes",
  "groups",
  "jobs",
  "permissions/devicetypes",
  "permissions/devices",
  "remote-artifact-tokens",
  "system",
  "tags",
  "users",
  "workers",
];

/** LAVA's REST API, version 0.2 (API.md 5). Each group of routes loads the rules that it needs when it is asked. */
export function restApi(deps: Deps): Hono<Env> {
  const app = restRoutes(deps);
  const groups = [
    restValidateRoutes,
    restJobRoutes,
    restJobChangeRoutes,
    restResultRoutes,
    restFileRoutes,
    restDeviceFileRoutes,
    restDeviceRoutes,
    restDeviceTypeRoutes,
    restDeviceTypeFileRoutes,
    restWorkerRoutes,
    restWorkerFileRoutes,
    restTagRoutes,
    restAliasRoutes,
    restPermissionRoutes,
    restPeopleRoutes,
    restSecretRoutes,
    restSystemRoutes,
  ];
  app.use(`${ROOT}/*`, async (c, next) => {
    c.header("cache-control", "no-store");
    c.header("x-content-type-options", "nosniff");
    await next();
  });
  app.get(`${ROOT}/`, needs(deps, "read"), (c) => {
    const uri = (name: string) => new URL(`${ROOT}/${name}/`, addressOf(c)).href;
    return c.json(Object.fromEntries(COLLECTIONS.map((name) => [name, uri(name)])));
  });
  for (const group of groups) app.route(ROOT, group(deps));
  refuseOtherMethods(app);
  app.all("/api/v0.1/*", (c) => toNewer(c));
  app.all(`${ROOT}/*`, async (c) => {
    const url = addressOf(c);
    if (url.pathname.endsWith("/")) throw new RestRefusal(404, { detail: "Not found." });
    url.pathname += "/";
    // Its body is not sent twice where the answer can be given at once.
    return c.req.method === "GET"
      ? c.redirect(url.href, 301)
      : app.fetch(new Request(url, c.req.raw), c.env);
  });
  return app;
}

/** 0.1 had the same collections, fewer: its clients are sent on, with whatever they ask. */
function toNewer(c: RouteContext): Response {
  const url = addressOf(c);
  url.pathname = url.pathname.replace("/v0.1/", "/v0.2/");
  return c.redirect(url.href, 308);
}

/** A path that is known by another method is 405, and OPTIONS says by which, in the form of LAVA. */
function refuseOtherMethods(app: Hono<Env>): void {
  const methods = new Map<string, Set<string>>();
  for (const { path, method } of app.routes) {
    if (method !== "ALL") methods.set(path, (methods.get(path) ?? new Set()).add(method));
  }
  for (const [path, known] of methods) {
    app.all(path, (c) => {
      c.header("allow", [...known, "HEAD", "OPTIONS"].join(", "));
      if (c.req.method === "OPTIONS") return c.json(OPTIONS);
      throw new RestRefusal(405, { detail: `Method "${c.req.method}" not allowed.` });
    });
  }
}

const OPTIONS = {
  name: "Pumice, as LAVA's REST API 0.2",
  renders: ["application/json"],
  parses: ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"],
};
