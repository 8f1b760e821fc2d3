import { extendReservationSchema, makeReservationSchema } from "#protocol/reservations.ts";
import type { Deps } from "../domain/deps.ts";
import { requireUser } from "../domain/principal.ts";
import { readJson } from "./read-body.ts";
import { routes } from "./route.ts";

/** Loaded when it is asked for: most requests are others. */
const reservations = () => import("../domain/reservations.ts");

/** `/api/v1/reservations` */
export function reservationRoutes(deps: Deps) {
  const app = routes();
  app.get("/reservations", async (c) =>
    c.json(await (await reservations()).listReservations(deps, c.var.principal)),
  );
  app.post("/reservations", async (c) => {
    const principal = requireUser(c.var.principal);
    const request = await readJson(c.req.raw, makeReservationSchema);
    return c.json(await (await reservations()).makeReservation(deps, principal, request), 201);
  });
  app.post("/reservations/:id/extend", async (c) => {
    const principal = requireUser(c.var.principal);
    const { seconds } = await readJson(c.req.raw, extendReservationSchema);
    return c.json(
      await (await reservations()).extendReservation(deps, principal, c.req.param("id"), seconds),
    );
  });
  app.delete("/reservations/:id", async (c) => {
    await (await reservations()).endReservation(deps, c.var.principal, c.req.param("id"));
    return c.body(null, 204);
  });
  return app;
}
