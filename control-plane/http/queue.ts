import * as v from "valibot";
import type { Deps } from "../domain/deps.ts";
import { parse } from "./read-body.ts";
import { queryNumber, routes } from "./route.ts";

/** Loaded when it is asked for: most requests are others. */
const queue = () => import("../domain/queue.ts");

const queueQuery = v.object({
  device_type: v.pipe(
    v.string("expected the name of a device type"),
    v.nonEmpty("expected the name of a device type"),
  ),
  limit: v.optional(queryNumber),
});

/** `/api/v1/queue`: what waits for a device type, and why */
export function queueRoutes(deps: Deps) {
  const app = routes();
  app.get("/queue", async (c) => {
    const { device_type, limit } = parse(queueQuery, c.req.query(), "query");
    return c.json(await (await queue()).readQueue(deps, c.var.principal, device_type, limit));
  });
  return app;
}
