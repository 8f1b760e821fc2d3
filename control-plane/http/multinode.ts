import {
  groupRequestSchema,
  sendRequestSchema,
  syncPointRequestSchema,
  waitAllRequestSchema,
  waitRequestSchema,
} from "#protocol/multinode.ts";
import type { Deps } from "../domain/deps.ts";
import {
  callerOf,
  findMessage,
  findMessages,
  finishMember,
  holdBack,
  joinGroup,
  sendMessage,
} from "../domain/group-calls.ts";
import { requireJob } from "../domain/principal.ts";
import { syncAt } from "../domain/sync-point.ts";
import { readJson } from "./read-body.ts";
import { jobIdOf, routes, type RouteContext } from "./route.ts";

/** A message, its JSON escapes and what goes with it. */
const BODY_BYTES = 512 * 1024;

/** `/api/v1/jobs/ID/multinode/...`: what the members of a multinode group say to each other, by their jobs' tokens. */
export function multinodeRoutes(deps: Deps) {
  const app = routes();
  const caller = (c: RouteContext) => {
    const id = jobIdOf(c);
    return callerOf(deps, requireJob(c.var.principal, id), id);
  };
  app.post("/jobs/:id/multinode/group", async (c) => {
    const member = await caller(c);
    const request = await readJson(c.req.raw, groupRequestSchema, BODY_BYTES);
    const ask = () => joinGroup(deps, member);
    return c.json(await holdBack(deps, member, request, ask, c.req.raw.signal));
  });
  app.post("/jobs/:id/multinode/send", async (c) => {
    const member = await caller(c);
    const request = await readJson(c.req.raw, sendRequestSchema, BODY_BYTES);
    return c.json(await sendMessage(deps, member, request));
  });
  app.post("/jobs/:id/multinode/wait", async (c) => {
    const member = await caller(c);
    const request = await readJson(c.req.raw, waitRequestSchema, BODY_BYTES);
    const ask = () => findMessage(deps, member, request);
    return c.json(await holdBack(deps, member, request, ask, c.req.raw.signal));
  });
  app.post("/jobs/:id/multinode/wait-all", async (c) => {
    const member = await caller(c);
    const request = await readJson(c.req.raw, waitAllRequestSchema, BODY_BYTES);
    const ask = () => findMessages(deps, member, request);
    return c.json(await holdBack(deps, member, request, ask, c.req.raw.signal));
  });
  app.post("/jobs/:id/multinode/sync", async (c) => {
    const member = await caller(c);
    const request = await readJson(c.req.raw, syncPointRequestSchema, BODY_BYTES);
    const ask = () => syncAt(deps, member, request);
    return c.json(await holdBack(deps, member, request, ask, c.req.raw.signal));
  });
  app.post("/jobs/:id/multinode/finish", async (c) =>
    c.json(await finishMember(deps, await caller(c))),
  );
  return app;
}
