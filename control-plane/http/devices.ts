import * as v from "valibot";
import { putDeviceSchema } from "#protocol/api.ts";
import { editDeviceSchema } from "#protocol/edit-device.ts";
import { deviceHealthSchema } from "#protocol/states.ts";
import type { Deps } from "../domain/deps.ts";
import { requireUser } from "../domain/principal.ts";
import { parse, readJson } from "./read-body.ts";
import { pageQuery, routes } from "./route.ts";

/** Loaded when it is asked for: most requests are others. */
const devices = () => import("../domain/devices.ts");
const release = () => import("../domain/release-device.ts");
const histories = () => import("../domain/histories.ts");

const healthRequest = v.object({
  health: deviceHealthSchema,
  reason: v.optional(v.pipe(v.string(), v.maxLength(1000))),
});
const checkRequest = v.object({ reason: healthRequest.entries.reason });

/** `/api/v1/devices` */
export function deviceRoutes(deps: Deps) {
  const app = routes();
  app.get("/devices", async (c) =>
    c.json(
      await (
        await devices()
      ).listDevices(deps, c.var.principal, parse(pageQuery, c.req.query(), "query")),
    ),
  );
  app.get("/devices/:hostname", async (c) =>
    c.json(await (await devices()).getDevice(deps, c.var.principal, c.req.param("hostname"))),
  );
  app.put("/devices/:hostname", async (c) => {
    const principal = requireUser(c.var.principal);
    const request = await readJson(c.req.raw, putDeviceSchema);
    return c.json(
      await (await devices()).putDevice(deps, principal, c.req.param("hostname"), request),
    );
  });
  app.patch("/devices/:hostname", async (c) => {
    const principal = requireUser(c.var.principal);
    const request = await readJson(c.req.raw, editDeviceSchema);
    const { editDevice } = await import("../domain/edit-device.ts");
    return c.json(await editDevice(deps, principal, c.req.param("hostname"), request));
  });
  app.post("/devices/:hostname/health", async (c) => {
    const principal = requireUser(c.var.principal);
    const request = await readJson(c.req.raw, healthRequest);
    return c.json(
      await (await devices()).setDeviceHealth(deps, principal, c.req.param("hostname"), request),
    );
  });
  app.post("/devices/:hostname/health-check", async (c) => {
    const principal = requireUser(c.var.principal);
    const request = await readJson(c.req.raw, checkRequest);
    const { forceHealthCheck } = await import("../domain/force-check.ts");
    return c.json(await forceHealthCheck(deps, principal, c.req.param("hostname"), request));
  });
  app.post("/devices/:hostname/release", async (c) =>
    c.json(await (await release()).releaseDevice(deps, c.var.principal, c.req.param("hostname"))),
  );
  app.get("/devices/:hostname/history", async (c) => {
    const page = parse(pageQuery, c.req.query(), "query");
    return c.json(
      await (await histories()).deviceHistory(deps, c.var.principal, c.req.param("hostname"), page),
    );
  });
  app.delete("/devices/:hostname", async (c) => {
    await (await devices()).removeDevice(deps, c.var.principal, c.req.param("hostname"));
    return c.body(null, 204);
  });
  return app;
}
