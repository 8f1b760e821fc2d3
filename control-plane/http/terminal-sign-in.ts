import { Hono } from "hono";
import { beginTerminalSchema, redeemTerminalSchema } from "#protocol/terminal-sign-in.ts";
import { AppError } from "../domain/app-error.ts";
import { requireOpen } from "../domain/closed-lab.ts";
import type { Deps } from "../domain/deps.ts";
import { clientAddress } from "./client-address.ts";
import type { FailureLimit } from "./failure-limit.ts";
import { readJson } from "./read-body.ts";
import type { Env } from "./route.ts";

/** Loaded when it is asked for: most requests are others. */
const terminals = () => import("../domain/terminal-sign-in.ts");

const LIMIT_BYTES = 4096;

/** `/api/v1/terminal-sign-ins`: for a terminal that has no token yet. Too many from an address in a minute are told to come later. */
export function terminalSignInRoutes(deps: Deps, failures: FailureLimit) {
  const app = new Hono<Env>();
  app.post("/terminal-sign-ins", async (c) => {
    const request = await readJson(c.req.raw, beginTerminalSchema, LIMIT_BYTES);
    const address = clientAddress(c);
    failures.check(address);
    // Each one is written down, so each counts.
    failures.note(address);
    await requireOpen(deps);
    return c.json(await (await terminals()).beginTerminal(deps, request, address), 201);
  });
  app.post("/terminal-sign-ins/redeem", async (c) => {
    const { secret } = await readJson(c.req.raw, redeemTerminalSchema, LIMIT_BYTES);
    const address = clientAddress(c);
    failures.check(address);
    await requireOpen(deps);
    try {
      return c.json(await (await terminals()).redeemTerminal(deps, secret));
    } catch (error) {
      if (error instanceof AppError && error.code === "unauthenticated") failures.note(address);
      throw error;
    }
  });
  return app;
}
