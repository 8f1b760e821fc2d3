import type { Context } from "hono";
import { addWebhookSchema } from "#protocol/notices.ts";
import * as v from "valibot";
import type { Deps } from "../domain/deps.ts";
import { listDeliveries, replayDelivery } from "../domain/notices/deliveries.ts";
import {
  addWebhook,
  enableWebhook,
  listWebhooks,
  removeWebhook,
} from "../domain/notices/webhooks.ts";
import { requireAdmin } from "../domain/principal.ts";
import { parse } from "../http/read-body.ts";
import type { Env } from "../http/route.ts";
import { NOTICE_STATES, NoticesPage, type NoticesShown } from "./admin-notices-page.tsx";
import { answerForm, typed, type Said } from "./answer-form.ts";
import { optionalText } from "./page-query.ts";
import type { View } from "./view.ts";

const listQuery = v.object({
  state: v.pipe(optionalText, v.optional(v.picklist(NOTICE_STATES))),
  webhook: optionalText,
  job: v.pipe(
    optionalText,
    v.optional(v.pipe(v.string(), v.regex(/^\d{1,15}$/, "expected a job's number"))),
  ),
  cursor: optionalText,
});

async function show(
  deps: Deps,
  c: Context<Env>,
  view: View,
  shown: { message?: Said; made?: NoticesShown["made"] } = {},
) {
  const admin = requireAdmin(c.var.principal);
  const query = parse(listQuery, c.req.query(), "query");
  const { webhooks } = await listWebhooks(deps, admin);
  const { notices, next_cursor } = await listDeliveries(deps, admin, {
    ...query,
    job: query.job === undefined ? undefined : Number(query.job),
  });
  const props = { view, query, webhooks, notices, nextCursor: next_cursor, ...shown };
  return c.html(<NoticesPage {...props} />) as Response;
}

const form =
  (
    act: (
      deps: Deps,
      c: Context<Env>,
      fields: URLSearchParams,
      view: View,
    ) => Promise<Response | void>,
  ) =>
  (deps: Deps, c: Context<Env>, view: View): Promise<Response> =>
    answerForm(
      c,
      async (fields) => (await act(deps, c, fields, view)) ?? c.redirect("/admin/notices", 303),
      (message) => show(deps, c, view, { message }),
    );

const add = form(async (deps, c, fields, view) => {
  const admin = requireAdmin(c.var.principal);
  const request = {
    url: typed(fields, "url") ?? "",
    events: fields.getAll("event"),
    format: fields.get("format"),
    description: typed(fields, "description") ?? "",
    visibility: fields.has("all") ? "all" : "public",
  };
  const made = await addWebhook(deps, admin, parse(addWebhookSchema, request, "webhook"));
  if (made.secret !== undefined) return show(deps, c, view, { made: { secret: made.secret } });
  return undefined;
});

export const handlers = {
  "GET /admin/notices": (deps: Deps, c: Context<Env>, view: View) => show(deps, c, view),
  "POST /admin/notices/replay": form(async (deps, c, fields) => {
    requireAdmin(c.var.principal);
    await replayDelivery(deps, c.var.principal, fields.get("id") ?? "");
  }),
  "POST /admin/webhooks": add,
  "POST /admin/webhooks/remove": form((deps, c, fields) =>
    removeWebhook(deps, c.var.principal, fields.get("id") ?? ""),
  ),
  "POST /admin/webhooks/enable": form((deps, c, fields) =>
    enableWebhook(deps, c.var.principal, fields.get("id") ?? ""),
  ),
};
