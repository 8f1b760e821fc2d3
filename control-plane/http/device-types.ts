import { labDeviceTypeSchema } from "#protocol/lab.ts";
import type { Deps } from "../domain/deps.ts";
import { requireUser } from "../domain/principal.ts";
import { parse, readJson } from "./read-body.ts";
import { pageQuery, routes } from "./route.ts";

/** Loaded when it is asked for: most requests are others. */
const deviceTypes = () => import("../domain/device-types.ts");

/** `/api/v1/device-types` */
export function deviceTypeRoutes(deps: Deps) {
  const app = routes();
  app.get("/device-types", async (c) =>
    c.json(
      await (
        await deviceTypes()
      ).listDeviceTypes(deps, c.var.principal, parse(pageQuery, c.req.query(), "query")),
    ),
  );
  app.get("/device-types/:name", async (c) =>
    c.json(await (await deviceTypes()).getDeviceType(deps, c.var.principal, c.req.param("name"))),
  );
  app.put("/device-types/:name", async (c) => {
    const principal = requireUser(c.var.principal);
    const type = await readJson(c.req.raw, labDeviceTypeSchema);
    return c.json(
      await (await deviceTypes()).putDeviceType(deps, principal, c.req.param("name"), type),
    );
  });
  app.delete("/device-types/:name", async (c) => {
    await (await deviceTypes()).removeDeviceType(deps, c.var.principal, c.req.param("name"));
    return c.body(null, 204);
  });
  return app;
}
