import { putAliasSchema, putTagSchema } from "#protocol/lab-lists.ts";
import { labGroupSchema } from "#protocol/lab.ts";
import type { Deps } from "../domain/deps.ts";
import { requireAdmin } from "../domain/principal.ts";
import { readJson } from "./read-body.ts";
import { routes } from "./route.ts";

/** Loaded when it is asked for: most requests are others. */
const aliases = () => import("../domain/aliases.ts");
const groups = () => import("../domain/groups.ts");
const tags = () => import("../domain/tags.ts");

/** `/api/v1/aliases`, `/api/v1/tags` and `/api/v1/groups` */
export function labListRoutes(deps: Deps) {
  const app = routes();
  app.get("/aliases", async (c) =>
    c.json(await (await aliases()).listAliases(deps, c.var.principal)),
  );
  app.put("/aliases/:name", async (c) => {
    const principal = requireAdmin(c.var.principal);
    const request = await readJson(c.req.raw, putAliasSchema);
    return c.json(await (await aliases()).putAlias(deps, principal, c.req.param("name"), request));
  });
  app.delete("/aliases/:name", async (c) => {
    await (await aliases()).removeAlias(deps, c.var.principal, c.req.param("name"));
    return c.body(null, 204);
  });
  app.get("/tags", async (c) => c.json(await (await tags()).listTags(deps, c.var.principal)));
  app.put("/tags/:name", async (c) => {
    const principal = requireAdmin(c.var.principal);
    const request = await readJson(c.req.raw, putTagSchema);
    return c.json(await (await tags()).putTag(deps, principal, c.req.param("name"), request));
  });
  app.delete("/tags/:name", async (c) => {
    await (await tags()).removeTag(deps, c.var.principal, c.req.param("name"));
    return c.body(null, 204);
  });
  app.get("/groups", async (c) => c.json(await (await groups()).listGroups(deps, c.var.principal)));
  app.put("/groups/:name", async (c) => {
    const principal = requireAdmin(c.var.principal);
    const request = await readJson(c.req.raw, labGroupSchema);
    return c.json(await (await groups()).putGroup(deps, principal, c.req.param("name"), request));
  });
  app.delete("/groups/:name", async (c) => {
    await (await groups()).removeGroup(deps, c.var.principal, c.req.param("name"));
    return c.body(null, 204);
  });
  return app;
}
