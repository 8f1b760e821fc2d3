import { putSettingsSchema } from "#protocol/lab-settings.ts";
import type { Deps } from "../domain/deps.ts";
import { getSettings, putSettings } from "../domain/lab-settings.ts";
import { requireAdmin } from "../domain/principal.ts";
import { readJson } from "./read-body.ts";
import { routes } from "./route.ts";

/** `/api/v1/settings`: what administrators set for the lab as a whole. */
export function settingsRoutes(deps: Deps) {
  const app = routes();
  app.get("/settings", async (c) => c.json(await getSettings(deps, c.var.principal)));
  app.put("/settings", async (c) => {
    const principal = requireAdmin(c.var.principal);
    return c.json(await putSettings(deps, principal, await readJson(c.req.raw, putSettingsSchema)));
  });
  return app;
}
