import type { Context } from "hono";
import { grantSchema, PERMISSION_KINDS, type PermissionKind } from "#protocol/people.ts";
import { addTokenSchema } from "#protocol/tokens.ts";
import * as v from "valibot";
import type { Deps } from "../domain/deps.ts";
import { labSettings } from "../domain/lab-settings.ts";
import { addToken } from "../domain/make-token.ts";
import { getPermissions, grant, listPermissions } from "../domain/permissions.ts";
import { requireAdmin, requireUser } from "../domain/principal.ts";
import { listTokensPage, revokeToken } from "../domain/tokens.ts";
import { parse } from "../http/read-body.ts";
import type { Env } from "../http/route.ts";
import { PermissionsPage, ThingPage } from "./admin-permissions-page.tsx";
import { AdminTokensPage } from "./admin-tokens-page.tsx";
import { answerForm, typed, type Said } from "./answer-form.ts";
import { ownPath } from "./own-path.ts";
import { tokenRequest } from "./token-form.tsx";
import type { View } from "./view.ts";

const kindSchema = v.picklist(PERMISSION_KINDS);
const listQuery = v.object({
  kind: v.optional(kindSchema, "lab"),
  cursor: v.optional(v.string()),
});

async function showPermissions(deps: Deps, c: Context<Env>, view: View) {
  const { kind, cursor } = parse(listQuery, c.req.query(), "query");
  const { permissions, next_cursor } = await listPermissions(deps, c.var.principal, kind, {
    cursor,
  });
  const { rule } = (await labSettings(deps)).access;
  const props = { view, kind, permissions, rule, nextCursor: next_cursor };
  return c.html(<PermissionsPage {...props} />) as Response;
}

async function showThing(
  deps: Deps,
  c: Context<Env>,
  view: View,
  { kind, name, message }: { kind: PermissionKind; name: string; message?: Said },
) {
  const things = await getPermissions(deps, c.var.principal, kind, name);
  return c.html(<ThingPage view={view} thing={things} message={message} />) as Response;
}

const permissionsOf = async (deps: Deps, c: Context<Env>, view: View) => {
  const kind = parse(kindSchema, c.req.param("kind"), "kind");
  return showThing(deps, c, view, { kind, name: c.req.param("name") ?? "" });
};

/** Grants or takes back; fields `kind`, `name`, `to`, `permission` and, to take back, `remove`. */
function grantByForm(deps: Deps, c: Context<Env>, view: View): Promise<Response> {
  let kind: PermissionKind = "lab";
  let name = "lab";
  return answerForm(
    c,
    async (fields) => {
      kind = parse(kindSchema, fields.get("kind"), "kind");
      name = kind === "lab" ? "lab" : (typed(fields, "name") ?? "");
      const request = {
        to: typed(fields, "to") ?? "",
        permission: fields.get("permission"),
        remove: fields.has("remove"),
      };
      const user = requireUser(c.var.principal);
      await grant(deps, user, kind, name, parse(grantSchema, request, "grant"));
      const path = `/admin/permissions/${kind}/${encodeURIComponent(name)}`;
      return c.redirect(path, 303);
    },
    (message) => showThing(deps, c, view, { kind, name, message }),
  );
}

async function showTokens(
  deps: Deps,
  c: Context<Env>,
  view: View,
  shown: { message?: Said; made?: { token: string; subject: string } } = {},
) {
  const { tokens, next_cursor } = await listTokensPage(
    deps,
    c.var.principal,
    c.req.query("cursor"),
  );
  const props = { view, tokens, nextCursor: next_cursor, ...shown };
  return c.html(<AdminTokensPage {...props} />) as Response;
}

function addTokenByForm(deps: Deps, c: Context<Env>, view: View): Promise<Response> {
  return answerForm(
    c,
    async (fields) => {
      const admin = requireAdmin(c.var.principal);
      const subject = typed(fields, "subject") ?? "";
      const request = parse(addTokenSchema, tokenRequest(fields, subject), "token");
      const { token } = await addToken(deps, admin, request);
      return showTokens(deps, c, view, { made: { token, subject } });
    },
    (message) => showTokens(deps, c, view, { message }),
  );
}

function revokeByForm(deps: Deps, c: Context<Env>, view: View): Promise<Response> {
  return answerForm(
    c,
    async (fields) => {
      requireAdmin(c.var.principal);
      const next = ownPath(fields.get("next") ?? "/admin/tokens");
      await revokeToken(deps, c.var.principal, fields.get("id") ?? "");
      return c.redirect(next, 303);
    },
    (message) => showTokens(deps, c, view, { message }),
  );
}

export const handlers = {
  "GET /admin/permissions": showPermissions,
  "GET /admin/permissions/:kind/:name": permissionsOf,
  "POST /admin/permissions": grantByForm,
  "GET /admin/tokens": (deps: Deps, c: Context<Env>, view: View) => showTokens(deps, c, view),
  "POST /admin/tokens": addTokenByForm,
  "POST /admin/tokens/revoke": revokeByForm,
};
