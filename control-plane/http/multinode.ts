import {
  groupRequestSchema,
  sendRequestSchema,
  syncPointRequestSchema,
  waitAllRequestSchema,
  waitRequestSchema,
} from "#protocol/multinode.ts";
import type { Deps } from "../domain/deps.ts";
import { requireJob } from "../domain/principal.ts";
import { readJson } from "./read-body.ts";
import { jobIdOf, routes, type RouteContext } from "./route.ts";

/** Loaded when it is asked for: most requests are others. */
const groupCalls = () => import("../domain/group-calls.ts");
const syncPoint = () => import("../domain/sync-point.ts");

/** A message, its JSON escapes and what goes with it. */
const BODY_BYTES = 512 * 1024;

/** `/api/v1/jobs/ID/multinode/...`: what the members of a multinode group say to each other, by their jobs' tokens. */
export function multinodeRoutes(deps: Deps) {
  const app = routes();
  const caller = async (c: RouteContext) => {
    const id = jobIdOf(c);
    return (await groupCalls()).callerOf(deps, requireJob(c.var.principal, id), id);
  };
  app.post("/jobs/:id/multinode/group", async (c) => {
    const member = await caller(c);
    const request = await readJson(c.req.raw, groupRequestSchema, BODY_BYTES);
    const ask = async () => (await groupCalls()).joinGroup(deps, member);
    return c.json(
      await (await groupCalls()).holdBack(deps, member, request, ask, c.req.raw.signal),
    );
  });
  app.post("/jobs/:id/multinode/send", async (c) => {
    const member = await caller(c);
    const request = await readJson(c.req.raw, sendRequestSchema, BODY_BYTES);
    return c.json(await (await groupCalls()).sendMessage(deps, member, request));
  });
  app.post("/jobs/:id/multinode/wait", async (c) => {
    const member = await caller(c);
    const request = await readJson(c.req.raw, waitRequestSchema, BODY_BYTES);
    const ask = async () => (await groupCalls()).findMessage(deps, member, request);
    return c.json(
      await (await groupCalls()).holdBack(deps, member, request, ask, c.req.raw.signal),
    );
  });
  app.post("/jobs/:id/multinode/wait-all", async (c) => {
    const member = await caller(c);
    const request = await readJson(c.req.raw, waitAllRequestSchema, BODY_BYTES);
    const ask = async () => (await groupCalls()).findMessages(deps, member, request);
    return c.json(
      await (await groupCalls()).holdBack(deps, member, request, ask, c.req.raw.signal),
    );
  });
  app.post("/jobs/:id/multinode/sync", async (c) => {
    const member = await caller(c);
    const request = await readJson(c.req.raw, syncPointRequestSchema, BODY_BYTES);
    const ask = async () => (await syncPoint()).syncAt(deps, member, request);
    return c.json(
      await (await groupCalls()).holdBack(deps, member, request, ask, c.req.raw.signal),
    );
  });
  app.post("/jobs/:id/multinode/finish", async (c) =>
    c.json(await (await groupCalls()).finishMember(deps, await caller(c))),
  );
  return app;
}
