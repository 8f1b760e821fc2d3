import * as v from "valibot";
import { addWebhookSchema, smtpPasswordSchema } from "#protocol/notices.ts";
import type { Deps } from "../domain/deps.ts";
import { requireAdmin } from "../domain/principal.ts";
import { parse, readJson } from "./read-body.ts";
import { pageQuery, queryNumber, routes } from "./route.ts";

/** Loaded when it is asked for: most requests are others. */
const deliveries = () => import("../domain/notices/deliveries.ts");
const smtp = () => import("../domain/notices/smtp-password.ts");
const webhooks = () => import("../domain/notices/webhooks.ts");

const listQuery = v.object({
  ...pageQuery.entries,
  job: v.optional(queryNumber),
  webhook: v.optional(v.string()),
  state: v.optional(v.picklist(["pending", "sent", "failed", "lapsed"])),
});

/** `/api/v1/webhooks`: whom the lab tells; `/api/v1/notices`: what it has sent; `/api/v1/smtp-password`. */
export function noticeRoutes(deps: Deps) {
  const app = routes();
  app.get("/webhooks", async (c) =>
    c.json(await (await webhooks()).listWebhooks(deps, c.var.principal)),
  );
  app.post("/webhooks", async (c) => {
    const principal = requireAdmin(c.var.principal);
    const request = await readJson(c.req.raw, addWebhookSchema);
    return c.json(await (await webhooks()).addWebhook(deps, principal, request), 201);
  });
  app.delete("/webhooks/:id", async (c) => {
    await (await webhooks()).removeWebhook(deps, c.var.principal, c.req.param("id"));
    return c.body(null, 204);
  });
  app.post("/webhooks/:id/enable", async (c) => {
    await (await webhooks()).enableWebhook(deps, c.var.principal, c.req.param("id"));
    return c.json({});
  });
  app.put("/smtp-password", async (c) => {
    const principal = requireAdmin(c.var.principal);
    const { value } = await readJson(c.req.raw, smtpPasswordSchema);
    await (await smtp()).putSmtpPassword(deps, principal, value);
    return c.body(null, 204);
  });
  app.delete("/smtp-password", async (c) => {
    await (await smtp()).putSmtpPassword(deps, c.var.principal, undefined);
    return c.body(null, 204);
  });
  app.get("/notices", async (c) =>
    c.json(
      await (
        await deliveries()
      ).listDeliveries(deps, c.var.principal, parse(listQuery, c.req.query(), "query")),
    ),
  );
  app.get("/notices/:id", async (c) =>
    c.json(await (await deliveries()).getDelivery(deps, c.var.principal, c.req.param("id"))),
  );
  app.post("/notices/:id/replay", async (c) =>
    c.json(await (await deliveries()).replayDelivery(deps, c.var.principal, c.req.param("id"))),
  );
  return app;
}
