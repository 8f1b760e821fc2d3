import {
  pinSchema,
  putReleaseKeySchema,
  putReleaseSchema,
  startRolloutSchema,
} from "#protocol/release-api.ts";
import type { Deps } from "../domain/deps.ts";
import { requireAdmin } from "../domain/principal.ts";
import { readJson } from "./read-body.ts";
import { routes } from "./route.ts";

/** Loaded when it is asked for: most requests are others. */
const pins = () => import("../domain/pins.ts");
const releaseKeys = () => import("../domain/release-keys.ts");
const releases = () => import("../domain/releases.ts");
const rollout = () => import("../domain/rollout.ts");

/** `/api/v1/releases`, `/release-keys`, `/rollout` and `/workers/NAME/pin`: which version the workers have. */
export function releaseRoutes(deps: Deps) {
  const app = routes();
  app.get("/releases", async (c) =>
    c.json(await (await releases()).listReleases(deps, c.var.principal)),
  );
  app.get("/releases/:version", async (c) =>
    c.json(await (await releases()).getRelease(deps, c.var.principal, c.req.param("version"))),
  );
  app.put("/releases/:version", async (c) => {
    const principal = requireAdmin(c.var.principal);
    const request = await readJson(c.req.raw, putReleaseSchema);
    return c.json(
      await (await releases()).putRelease(deps, principal, c.req.param("version"), request),
    );
  });
  app.delete("/releases/:version", async (c) => {
    await (await releases()).removeRelease(deps, c.var.principal, c.req.param("version"));
    return c.body(null, 204);
  });
  app.get("/release-keys", async (c) =>
    c.json(await (await releaseKeys()).listReleaseKeys(deps, c.var.principal)),
  );
  app.put("/release-keys", async (c) => {
    const principal = requireAdmin(c.var.principal);
    const request = await readJson(c.req.raw, putReleaseKeySchema);
    return c.json(await (await releaseKeys()).putReleaseKey(deps, principal, request));
  });
  app.delete("/release-keys/:id", async (c) => {
    await (await releaseKeys()).removeReleaseKey(deps, c.var.principal, c.req.param("id"));
    return c.body(null, 204);
  });
  app.get("/rollout", async (c) =>
    c.json(await (await rollout()).getRollout(deps, c.var.principal)),
  );
  app.post("/rollout", async (c) => {
    const principal = requireAdmin(c.var.principal);
    const request = await readJson(c.req.raw, startRolloutSchema);
    return c.json(await (await rollout()).startRollout(deps, principal, request), 201);
  });
  app.post("/rollout/next", async (c) =>
    c.json(await (await rollout()).widenRollout(deps, c.var.principal)),
  );
  app.post("/rollout/stop", async (c) =>
    c.json(await (await rollout()).stopRollout(deps, c.var.principal)),
  );
  app.put("/workers/:name/pin", async (c) => {
    const principal = requireAdmin(c.var.principal);
    const pin = await readJson(c.req.raw, pinSchema);
    return c.json(await (await pins()).pinWorker(deps, principal, c.req.param("name"), pin));
  });
  app.delete("/workers/:name/pin", async (c) =>
    c.json(await (await pins()).unpinWorker(deps, c.var.principal, c.req.param("name"))),
  );
  return app;
}
