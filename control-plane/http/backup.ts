import * as v from "valibot";
import {
  beginRestoreSchema,
  MAX_RESTORED_BYTES,
  restoreBlobsSchema,
  restoreItemsSchema,
  settleRequestSchema,
  type LabState,
} from "#protocol/backup.ts";
import { AppError } from "../domain/app-error.ts";
import { closeLab, findClosed } from "../domain/closed-lab.ts";
import type { Deps } from "../domain/deps.ts";
import { requireAdmin, type Principal } from "../domain/principal.ts";
import { parse, readJson } from "./read-body.ts";
import { jobIdOf, routes } from "./route.ts";

/** Loaded when it is asked for: most requests are others. */
const backup = () => import("../domain/backup.ts");
const reopen = () => import("../domain/reopen-lab.ts");
const restore = () => import("../domain/restore.ts");
const integrity = () => import("../domain/integrity/check-page.ts");

const cursor = v.optional(v.pipe(v.string(), v.maxLength(5000)));
const itemsQuery = v.object({
  since: v.optional(v.pipe(v.string(), v.isoTimestamp("since: expected a time"))),
  cursor,
});
const jobQuery = v.object({ cursor });
/** One item of the largest size may come alone. */
const MAX_BODY_BYTES = MAX_RESTORED_BYTES + 500_000;

/** `/api/v1/backup`: the whole lab, out of one and into another; open while the lab is closed. */
export function backupRoutes(deps: Deps) {
  const app = routes();
  app.get("/backup/items", async (c) =>
    c.json(
      await (
        await backup()
      ).backupPage(deps, c.var.principal, parse(itemsQuery, c.req.query(), "query")),
    ),
  );
  app.get("/backup/jobs/:id", async (c) => {
    const query = parse(jobQuery, c.req.query(), "query");
    return c.json(
      await (await backup()).backupJob(deps, c.var.principal, jobIdOf(c), query.cursor),
    );
  });
  app.get("/backup/check", async (c) => {
    const query = parse(jobQuery, c.req.query(), "query");
    return c.json(await (await integrity()).checkPage(deps, c.var.principal, query.cursor));
  });
  app.get("/backup/state", async (c) => c.json(await stateOf(deps, c.var.principal)));
  app.put("/backup/closed", async (c) => {
    await closeLab(deps, c.var.principal);
    return c.json(await stateOf(deps, c.var.principal));
  });
  app.delete("/backup/closed", async (c) => {
    await (await reopen()).reopenLab(deps, c.var.principal);
    return c.json(await stateOf(deps, c.var.principal));
  });
  app.put("/backup/restore/:id", async (c) => {
    const principal = requireAdmin(c.var.principal);
    await readJson(c.req.raw, beginRestoreSchema);
    return c.json(
      await (await restore()).beginRestore(deps, principal, backupId(c.req.param("id"))),
    );
  });
  app.put("/backup/restore/:id/items", async (c) => {
    const principal = requireAdmin(c.var.principal);
    const { items } = await readJson(c.req.raw, restoreItemsSchema, MAX_BODY_BYTES);
    await (await restore()).restoreItems(deps, principal, backupId(c.req.param("id")), items);
    return c.json({});
  });
  app.put("/backup/restore/:id/blobs", async (c) => {
    const principal = requireAdmin(c.var.principal);
    const { blobs } = await readJson(c.req.raw, restoreBlobsSchema);
    return c.json(
      await (await restore()).restoreBlobs(deps, principal, backupId(c.req.param("id")), blobs),
    );
  });
  app.put("/backup/restore/:id/settle", async (c) => {
    const principal = requireAdmin(c.var.principal);
    const { cursor } = await readJson(c.req.raw, settleRequestSchema);
    const id = backupId(c.req.param("id"));
    return c.json(await (await restore()).settleRestored(deps, principal, id, cursor));
  });
  app.put("/backup/restore/:id/end", async (c) => {
    await (await restore()).endRestore(deps, c.var.principal, backupId(c.req.param("id")));
    return c.json({});
  });
  return app;
}

async function stateOf(deps: Deps, principal: Principal): Promise<LabState> {
  requireAdmin(principal);
  const closed = await findClosed(deps);
  return closed ? { closed: closed.data.why } : {};
}

function backupId(text: string): string {
  if (/^[0-9a-f]{16,64}$/.test(text)) return text;
  throw new AppError("not_found", "no such restore: a backup's id is 16 hex digits");
}
