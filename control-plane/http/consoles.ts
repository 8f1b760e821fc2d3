import * as v from "valibot";
import { MAX_CONSOLE_HOLD_SECONDS } from "#protocol/consoles.ts";
import type { Deps } from "../domain/deps.ts";
import { requireReader, requireUser, requireWorker } from "../domain/principal.ts";
import { parse, readJson } from "./read-body.ts";
import { queryNumber, routes } from "./route.ts";

/** Loaded when it is asked for: most requests are others. */
const requests = () => import("#protocol/console-requests.ts");
const consoles = () => import("../domain/consoles.ts");
const opening = () => import("../domain/console-open.ts");
const typing = () => import("../domain/console-typing.ts");
const relay = () => import("../domain/console-relay.ts");

const outputQuery = v.object({
  from: v.optional(v.union([v.literal("end"), queryNumber]), "0"),
  hold: v.optional(queryNumber, "0"),
});
const inputQuery = v.object({ from: v.optional(queryNumber, "0") });

/** `/api/v1/consoles`, a device's, and what its worker calls: `/api/v1/worker/consoles`. */
export function consoleRoutes(deps: Deps) {
  const app = routes();
  app.post("/consoles", async (c) => {
    const user = requireUser(c.var.principal);
    const request = await readJson(c.req.raw, (await requests()).openConsoleSchema);
    return c.json(await (await opening()).openConsole(deps, user, request), 201);
  });
  app.get("/devices/:hostname/consoles", async (c) =>
    c.json(await (await consoles()).listConsoles(deps, c.var.principal, c.req.param("hostname"))),
  );
  app.get("/consoles/:id", async (c) => {
    const reader = requireReader(c.var.principal);
    return c.json(await (await consoles()).getConsole(deps, reader, c.req.param("id")));
  });
  app.get("/consoles/:id/output", async (c) => {
    const reader = requireReader(c.var.principal);
    const { from, hold } = parse(outputQuery, c.req.query(), "query");
    const asked = { from, hold: Math.min(hold, MAX_CONSOLE_HOLD_SECONDS) };
    const { id } = c.req.param();
    const { signal } = c.req.raw;
    return c.json(await (await consoles()).consoleOutput(deps, reader, id, asked, signal));
  });
  app.get("/consoles/:id/input", async (c) => {
    const user = requireUser(c.var.principal);
    const { from } = parse(inputQuery, c.req.query(), "query");
    return c.json(await (await consoles()).consoleInputs(deps, user, c.req.param("id"), from));
  });
  app.post("/consoles/:id/input", async (c) => {
    const user = requireUser(c.var.principal);
    const request = await readJson(c.req.raw, (await requests()).consoleInputSchema);
    await (await typing()).typeInput(deps, user, c.req.param("id"), request);
    return c.body(null, 204);
  });
  app.post("/consoles/:id/power", async (c) => {
    const user = requireUser(c.var.principal);
    const { power } = await readJson(c.req.raw, (await requests()).consolePowerSchema);
    await (await typing()).switchPower(deps, user, c.req.param("id"), power);
    return c.body(null, 204);
  });
  app.post("/consoles/:id/continue", async (c) => {
    const user = requireUser(c.var.principal);
    await (await typing()).continueJob(deps, user, c.req.param("id"));
    return c.body(null, 204);
  });
  app.delete("/consoles/:id", async (c) => {
    const user = requireUser(c.var.principal);
    await (await consoles()).endConsole(deps, user, c.req.param("id"));
    return c.body(null, 204);
  });
  app.post("/worker/consoles/:id/output", async (c) => {
    const worker = requireWorker(c.var.principal);
    const request = await readJson(c.req.raw, (await requests()).relayOutputSchema);
    return c.json(await (await relay()).takeOutput(deps, worker, c.req.param("id"), request));
  });
  app.post("/worker/consoles/:id/input", async (c) => {
    const worker = requireWorker(c.var.principal);
    const request = await readJson(c.req.raw, (await requests()).relayInputSchema);
    const { id } = c.req.param();
    return c.json(await (await relay()).giveInput(deps, worker, id, request, c.req.raw.signal));
  });
  return app;
}
