import { addWorkerSchema } from "#protocol/api.ts";
import { rotateTokenSchema } from "#protocol/tokens.ts";
import { editWorkerSchema } from "#protocol/edit-device.ts";
import { newEnrolmentSchema } from "#protocol/enrol.ts";
import { workerHealthRequestSchema } from "#protocol/history.ts";
import { labName, labWorkerSchema } from "#protocol/lab.ts";
import { rotationRequestSchema, syncRequestSchema } from "#protocol/worker-api.ts";
import type { Deps } from "../domain/deps.ts";
import { requireAdmin, requireUser, requireWorker } from "../domain/principal.ts";
import { sync } from "../domain/sync.ts";
import { parse, readJson } from "./read-body.ts";
import { pageQuery, routes } from "./route.ts";

/** Loaded when it is asked for: most requests are others. */
const workerDevicesOf = () => import("../domain/worker-devices.ts");
const workerHealth = () => import("../domain/worker-health.ts");
const workers = () => import("../domain/workers.ts");
const enrolment = () => import("../domain/enrol.ts");
const rotation = () => import("../domain/rotate-worker-token.ts");
const histories = () => import("../domain/histories.ts");

/** `/api/v1/workers`, and what workers call: `/api/v1/worker/sync`, `/api/v1/worker/devices`. */
export function workerRoutes(deps: Deps) {
  const app = routes();
  app.get("/workers", async (c) =>
    c.json(
      await (
        await workers()
      ).listWorkers(deps, c.var.principal, parse(pageQuery, c.req.query(), "query")),
    ),
  );
  app.get("/workers/:name", async (c) =>
    c.json(await (await workers()).getWorker(deps, c.var.principal, c.req.param("name"))),
  );
  app.post("/workers", async (c) => {
    const principal = requireAdmin(c.var.principal);
    const request = await readJson(c.req.raw, addWorkerSchema);
    return c.json(await (await workers()).addWorker(deps, principal, request), 201);
  });
  app.put("/workers/:name", async (c) => {
    const principal = requireUser(c.var.principal);
    const settings = await readJson(c.req.raw, labWorkerSchema);
    return c.json(
      await (await workers()).putWorker(deps, principal, c.req.param("name"), settings),
    );
  });
  app.patch("/workers/:name", async (c) => {
    const principal = requireUser(c.var.principal);
    const request = await readJson(c.req.raw, editWorkerSchema);
    const { editWorker } = await import("../domain/edit-worker.ts");
    return c.json(await editWorker(deps, principal, c.req.param("name"), request));
  });
  app.get("/workers/:name/settings", async (c) =>
    c.json(await (await workers()).getWorkerSettings(deps, c.var.principal, c.req.param("name"))),
  );
  app.get("/workers/:name/history", async (c) => {
    const page = parse(pageQuery, c.req.query(), "query");
    return c.json(
      await (await histories()).workerHistory(deps, c.var.principal, c.req.param("name"), page),
    );
  });
  app.post("/workers/:name/health", async (c) => {
    const principal = requireUser(c.var.principal);
    const request = await readJson(c.req.raw, workerHealthRequestSchema);
    return c.json(
      await (await workerHealth()).setWorkerHealth(deps, principal, c.req.param("name"), request),
    );
  });
  app.delete("/workers/:name", async (c) => {
    await (await workers()).removeWorker(deps, c.var.principal, c.req.param("name"));
    return c.body(null, 204);
  });
  app.post("/workers/:name/enrolment", async (c) => {
    const principal = requireAdmin(c.var.principal);
    const request = await readJson(c.req.raw, newEnrolmentSchema);
    const name = parse(labName, c.req.param("name"), "name");
    return c.json(await (await enrolment()).makeEnrolment(deps, principal, name, request), 201);
  });
  app.post("/workers/:name/rotate", async (c) => {
    const principal = requireAdmin(c.var.principal);
    const { overlap_seconds } = await readJson(c.req.raw, rotateTokenSchema);
    await (await rotation()).askRotation(deps, principal, c.req.param("name"), overlap_seconds);
    return c.body(null, 202);
  });
  app.post("/worker/token", async (c) => {
    const principal = requireWorker(c.var.principal);
    await (
      await rotation()
    ).takeRotation(deps, principal, await readJson(c.req.raw, rotationRequestSchema));
    return c.body(null, 204);
  });
  app.get("/worker/devices", async (c) =>
    c.json(await (await workerDevicesOf()).workerDevices(deps, c.var.principal)),
  );
  app.post("/worker/sync", async (c) => {
    const principal = requireWorker(c.var.principal);
    const request = await readJson(c.req.raw, syncRequestSchema);
    return c.json(await sync(deps, principal, request, c.req.raw.signal));
  });
  return app;
}
