import { windowSchema } from "#protocol/windows.ts";
import type { Deps } from "../domain/deps.ts";
import { requireAdmin } from "../domain/principal.ts";
import { readJson } from "./read-body.ts";
import { routes } from "./route.ts";

/** Loaded when it is asked for: most requests are others. */
const windows = () => import("../domain/windows.ts");

/** `/api/v1/windows`: maintenance windows */
export function windowRoutes(deps: Deps) {
  const app = routes();
  app.get("/windows", async (c) =>
    c.json(await (await windows()).listWindows(deps, c.var.principal)),
  );
  app.put("/windows/:name", async (c) => {
    const principal = requireAdmin(c.var.principal);
    const window = await readJson(c.req.raw, windowSchema);
    return c.json(await (await windows()).putWindow(deps, principal, c.req.param("name"), window));
  });
  app.delete("/windows/:name", async (c) => {
    await (await windows()).removeWindow(deps, c.var.principal, c.req.param("name"));
    return c.body(null, 204);
  });
  return app;
}
