import * as v from "valibot";
import { putBackSchema, workerTextName } from "#protocol/lab.ts";
import type { Deps } from "../domain/deps.ts";
import { requireUser } from "../domain/principal.ts";
import { parse, readJson, readText } from "./read-body.ts";
import { pageQuery, queryNumber, routes } from "./route.ts";
import { howChanged, MAX_TEXT_BYTES } from "./text-bodies.ts";

const versionQuery = v.object({ version: v.optional(queryNumber) });

/** Loaded when it is used. */
const rules = () => import("../domain/worker-text-versions.ts");

/** `/api/v1/workers/W/texts/dispatcher`, `env` and `env_dut`, and their versions. */
export function workerTextRoutes(deps: Deps) {
  const app = routes();
  app.get("/workers/:name/texts/:text", async (c) => {
    const { version } = parse(versionQuery, c.req.query(), "query");
    const field = parse(workerTextName, c.req.param("text"), "text");
    const { getWorkerText } = await rules();
    const found = await getWorkerText(deps, c.var.principal, c.req.param("name"), field, version);
    const type = "application/yaml; charset=utf-8";
    return c.body(found.text, 200, { "content-type": type, etag: `"${found.version}"` });
  });
  app.put("/workers/:name/texts/:text", async (c) => {
    const principal = requireUser(c.var.principal);
    const field = parse(workerTextName, c.req.param("text"), "text");
    const text = await readText(c.req.raw, MAX_TEXT_BYTES);
    const { putWorkerText } = await rules();
    const how = howChanged(c);
    return c.json(await putWorkerText(deps, principal, c.req.param("name"), field, text, how));
  });
  app.get("/workers/:name/texts/:text/versions", async (c) => {
    const field = parse(workerTextName, c.req.param("text"), "text");
    const page = parse(pageQuery, c.req.query(), "query");
    const { workerTextVersions } = await rules();
    const name = c.req.param("name");
    return c.json(await workerTextVersions(deps, c.var.principal, name, field, page));
  });
  app.post("/workers/:name/texts/:text/put-back", async (c) => {
    const principal = requireUser(c.var.principal);
    const field = parse(workerTextName, c.req.param("text"), "text");
    const { version } = await readJson(c.req.raw, putBackSchema);
    const { getWorkerText, putWorkerText } = await rules();
    const name = c.req.param("name");
    const { text } = await getWorkerText(deps, principal, name, field, version);
    const comment = `back to version ${version}`;
    return c.json(await putWorkerText(deps, principal, name, field, text, { comment }));
  });
  return app;
}
