import { Hono } from "hono";
import { enrolRequestSchema } from "#protocol/enrol.ts";
import { requireOpen } from "../domain/closed-lab.ts";
import type { Deps } from "../domain/deps.ts";
import { enrol } from "../domain/enrol.ts";
import { readJson } from "./read-body.ts";
import type { Env } from "./route.ts";

const LIMIT_BYTES = 4096;

/**
 * `/api/v1/enrol`: the one call of a board that has no token yet. Nobody counts the tries: a code has 140 bits, and a
 * wrong one costs one read of the table.
 */
export function enrolRoutes(deps: Deps) {
  const app = new Hono<Env>();
  app.post("/enrol", async (c) => {
    const request = await readJson(c.req.raw, enrolRequestSchema, LIMIT_BYTES);
    await requireOpen(deps);
    return c.json(await enrol(deps, request));
  });
  return app;
}
