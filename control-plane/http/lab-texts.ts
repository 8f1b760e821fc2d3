import { requireOnLab } from "../domain/visible.ts";
import * as v from "valibot";
import { putBackSchema, type PutText } from "#protocol/lab.ts";
import type { Deps } from "../domain/deps.ts";
import { requireAdmin, type Principal } from "../domain/principal.ts";
import type { HowChanged } from "../domain/texts.ts";
import { parse, readJson, readText } from "./read-body.ts";
import { queryNumber, routes } from "./route.ts";
import { howChanged, MAX_TEXT_BYTES, textResponse } from "./text-bodies.ts";

/** Loaded when it is asked for: most requests are others. */
const texts = () => import("../domain/texts.ts");

/** A collection of texts that have names and versions. */
interface Collection {
  path: "templates" | "health-checks";
  kind: "template" | "health-check";
  contentType: string | undefined;
  list: (deps: Deps, principal: Principal) => Promise<object>;
  put: (
    deps: Deps,
    principal: Principal,
    name: string,
    text: string,
    how: HowChanged,
  ) => Promise<PutText>;
  remove: (deps: Deps, principal: Principal, name: string) => Promise<void>;
}

/** Loaded when it is used, as all that reads templates or YAML. */
const ownTemplates = () => import("../domain/own-templates.ts");
const healthChecks = () => import("../domain/health-checks.ts");

/** `/api/v1/templates`: the lab's own, which win over Pumice's. */
export const templateRoutes = (deps: Deps) =>
  textRoutes(deps, {
    path: "templates",
    kind: "template",
    contentType: undefined,
    list: async (...of) => (await ownTemplates()).listTemplates(...of),
    put: async (...of) => (await ownTemplates()).putTemplate(...of),
    remove: async (...of) => (await ownTemplates()).removeTemplate(...of),
  });

/** `/api/v1/health-checks` */
export const healthCheckRoutes = (deps: Deps) =>
  textRoutes(deps, {
    path: "health-checks",
    kind: "health-check",
    contentType: "application/yaml; charset=utf-8",
    list: async (...of) => (await healthChecks()).listHealthChecks(...of),
    put: async (...of) => (await healthChecks()).putHealthCheck(...of),
    remove: async (...of) => (await healthChecks()).removeHealthCheck(...of),
  });

const versionQuery = v.object({ version: v.optional(queryNumber) });
const pageQuery = v.object({ limit: v.optional(queryNumber), cursor: v.optional(v.string()) });

function textRoutes(deps: Deps, collection: Collection) {
  const { path, kind, contentType, list, put, remove } = collection;
  const app = routes();
  app.get(`/${path}`, async (c) => c.json(await list(deps, c.var.principal)));
  app.get(`/${path}/:name`, async (c) => {
    await requireOnLab(deps, c.var.principal, "view");
    const { version } = parse(versionQuery, c.req.query(), "query");
    return textResponse(
      c,
      await (await texts()).getText(deps, kind, c.req.param("name"), version),
      contentType,
    );
  });
  app.put(`/${path}/:name`, async (c) => {
    const principal = requireAdmin(c.var.principal);
    const text = await readText(c.req.raw, MAX_TEXT_BYTES);
    return c.json(await put(deps, principal, c.req.param("name"), text, howChanged(c)));
  });
  app.delete(`/${path}/:name`, async (c) => {
    await remove(deps, c.var.principal, c.req.param("name"));
    return c.body(null, 204);
  });
  app.get(`/${path}/:name/versions`, async (c) => {
    await requireOnLab(deps, c.var.principal, "view");
    const page = parse(pageQuery, c.req.query(), "query");
    return c.json(await (await texts()).listVersions(deps, kind, c.req.param("name"), page));
  });
  app.get(`/${path}/:name/versions/:version`, async (c) => {
    await requireOnLab(deps, c.var.principal, "view");
    const version = parse(queryNumber, c.req.param("version"), "version");
    return textResponse(
      c,
      await (await texts()).getText(deps, kind, c.req.param("name"), version),
      contentType,
    );
  });
  app.post(`/${path}/:name/put-back`, async (c) => {
    const principal = requireAdmin(c.var.principal);
    const { version } = await readJson(c.req.raw, putBackSchema);
    const { text } = await (await texts()).getText(deps, kind, c.req.param("name"), version);
    const comment = `back to version ${version}`;
    return c.json(await put(deps, principal, c.req.param("name"), text, { comment }));
  });
  return app;
}
