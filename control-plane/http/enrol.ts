import { Hono } from "hono";
import { enrolRequestSchema } from "#protocol/enrol.ts";
import { AppError } from "../domain/app-error.ts";
import { requireOpen } from "../domain/closed-lab.ts";
import type { Deps } from "../domain/deps.ts";
import { clientAddress } from "./client-address.ts";
import type { FailureLimit } from "./failure-limit.ts";
import { readJson } from "./read-body.ts";
import type { Env } from "./route.ts";

/** Loaded when it is asked for: most requests are others. */
const enrolment = () => import("../domain/enrol.ts");

const LIMIT_BYTES = 4096;

/**
 * `/api/v1/enrol`: the one call of a board that has no token yet. A code has 140 bits, so that nobody guesses one; whoever
 * tries too many in a minute is told to come later.
 */
export function enrolRoutes(deps: Deps, failures: FailureLimit) {
  const app = new Hono<Env>();
  app.post("/enrol", async (c) => {
    const request = await readJson(c.req.raw, enrolRequestSchema, LIMIT_BYTES);
    const address = clientAddress(c);
    failures.check(address);
    await requireOpen(deps);
    try {
      return c.json(await (await enrolment()).enrol(deps, request));
    } catch (error) {
      if (error instanceof AppError && error.code === "unauthenticated") failures.note(address);
      throw error;
    }
  });
  return app;
}
