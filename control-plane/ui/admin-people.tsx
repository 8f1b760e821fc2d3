import type { Context } from "hono";
import { addUserSchema, labUserSchema } from "#protocol/people.ts";
import { listAccounts, unlinkAccount } from "../domain/accounts.ts";
import { AppError } from "../domain/app-error.ts";
import { makePasswordLink } from "../domain/credentials.ts";
import type { Deps } from "../domain/deps.ts";
import { listGroups, putGroup, removeGroup, setMember } from "../domain/groups.ts";
import { addUser, changeUser, getUser, listUsers } from "../domain/people.ts";
import { requireAdmin } from "../domain/principal.ts";
import { signOutEverywhere } from "../domain/sessions.ts";
import { listOwnTokens } from "../domain/tokens.ts";
import { PASSWORD_PATH } from "../http/people-secrets.ts";
import { parse } from "../http/read-body.ts";
import type { Env } from "../http/route.ts";
import { ownUrl } from "../http/session.ts";
import { GroupPage, GroupsPage } from "./admin-groups-page.tsx";
import { UserPage, UsersPage, type UserShown } from "./admin-users-page.tsx";
import { answerForm, typed, type Said } from "./answer-form.ts";
import type { View } from "./view.ts";

const nameOf = (c: Context<Env>): string => c.req.param("name") ?? "";
const userPath = (name: string): string => `/admin/users/${encodeURIComponent(name)}`;
const groupPath = (name: string): string => `/admin/groups/${encodeURIComponent(name)}`;

async function showUsers(deps: Deps, c: Context<Env>, view: View, message?: Said) {
  const { cursor, from } = c.req.query();
  const { users, next_cursor } = await listUsers(deps, c.var.principal, {
    ...((cursor ?? from) ? { cursor: cursor ?? before(from ?? "") } : {}),
  });
  const shown = { view, users, from, nextCursor: next_cursor, message };
  return c.html(<UsersPage {...shown} />) as Response;
}

/** A cursor after which the names from this one on come: the list goes on after `NAME!`. */
const before = (name: string): string =>
  name.slice(0, -1) +
  String.fromCharCode(Math.max(0x20, name.charCodeAt(name.length - 1) - 1)) +
  "~";

async function showUser(
  deps: Deps,
  c: Context<Env>,
  view: View,
  shown: Pick<UserShown, "message" | "link"> = {},
) {
  const admin = requireAdmin(c.var.principal);
  const name = nameOf(c);
  const user = await getUser(deps, admin, name);
  const [{ groups }, tokens, accounts] = await Promise.all([
    listGroups(deps, admin),
    listOwnTokens(deps, { ...admin, name }),
    listAccounts(deps, admin, name).catch((error: unknown) => {
      // Somebody of whom there are tokens only.
      if (error instanceof AppError && error.code === "not_found") return { accounts: [] };
      throw error;
    }),
  ]);
  const props = { view, user, tokens, accounts: accounts.accounts, ...shown };
  return c.html(<UserPage {...props} groups={groups.map((group) => group.name)} />) as Response;
}

/** A form of a user's page: what it does, and then the page. */
const userForm =
  (act: (deps: Deps, c: Context<Env>, fields: URLSearchParams, view: View) => Promise<unknown>) =>
  (deps: Deps, c: Context<Env>, view: View): Promise<Response> =>
    answerForm(
      c,
      async (fields) => {
        // What people may do with themselves they do on their own page.
        requireAdmin(c.var.principal);
        const answer = await act(deps, c, fields, view);
        return answer instanceof Response ? answer : c.redirect(userPath(nameOf(c)), 303);
      },
      (message) => showUser(deps, c, view, { message }),
    );

function addUserByForm(deps: Deps, c: Context<Env>, view: View): Promise<Response> {
  return answerForm(
    c,
    async (fields) => {
      const request = {
        name: typed(fields, "name") ?? "",
        full_name: typed(fields, "full_name") ?? "",
        email: typed(fields, "email") ?? "",
        admin: fields.has("admin"),
      };
      const { name } = await addUser(deps, c.var.principal, parse(addUserSchema, request, "user"));
      return c.redirect(userPath(name), 303);
    },
    (message) => showUsers(deps, c, view, message),
  );
}

const changeUserByForm = userForm(async (deps, c, fields) => {
  const flag = (field: string) =>
    fields.has(field) ? { [field]: fields.get(field) === "yes" } : {};
  const request = {
    ...(fields.has("full_name") ? { full_name: typed(fields, "full_name") ?? "" } : {}),
    ...(fields.has("email") ? { email: typed(fields, "email") ?? "" } : {}),
    ...flag("admin"),
    ...flag("active"),
  };
  await changeUser(deps, c.var.principal, nameOf(c), parse(labUserSchema, request, "user"));
});

const setGroupByForm = userForm(async (deps, c, fields) => {
  const group = typed(fields, "group");
  if (group === undefined) throw new AppError("invalid", "choose a group");
  const isMember = fields.get("member") === "yes";
  await setMember(deps, c.var.principal, { group, user: nameOf(c), isMember });
});

const passwordLinkByForm = userForm(async (deps, c, _, view) => {
  const { code, expires } = await makePasswordLink(deps, c.var.principal, nameOf(c));
  const url = ownUrl(c, `${PASSWORD_PATH}?code=${code}`).href;
  return showUser(deps, c, view, { link: { url, expires } });
});

const signOutByForm = userForm(async (deps, c, fields) => {
  await signOutEverywhere(deps, c.var.principal, nameOf(c), { tokens: fields.has("tokens") });
});

const unlinkByForm = userForm((deps, c, fields) =>
  unlinkAccount(deps, c.var.principal, nameOf(c), fields.get("id") ?? ""),
);

async function showGroups(deps: Deps, c: Context<Env>, view: View, message?: Said) {
  const { groups } = await listGroups(deps, requireAdmin(c.var.principal));
  return c.html(<GroupsPage view={view} groups={groups} message={message} />) as Response;
}

async function findGroup(deps: Deps, c: Context<Env>) {
  const { groups } = await listGroups(deps, requireAdmin(c.var.principal));
  const group = groups.find(({ name }) => name === nameOf(c));
  if (group) return group;
  throw new AppError("not_found", `there is no group ${JSON.stringify(nameOf(c))}`);
}

async function showGroup(deps: Deps, c: Context<Env>, view: View, message?: Said) {
  const group = await findGroup(deps, c);
  return c.html(<GroupPage view={view} group={group} message={message} />) as Response;
}

const groupForm =
  (act: (deps: Deps, c: Context<Env>, fields: URLSearchParams) => Promise<unknown>) =>
  (deps: Deps, c: Context<Env>, view: View): Promise<Response> =>
    answerForm(
      c,
      async (fields) => {
        await act(deps, c, fields);
        return c.redirect(groupPath(nameOf(c)), 303);
      },
      (message) => showGroup(deps, c, view, message),
    );

function addGroupByForm(deps: Deps, c: Context<Env>, view: View): Promise<Response> {
  return answerForm(
    c,
    async (fields) => {
      const name = typed(fields, "name") ?? "";
      const { groups } = await listGroups(deps, requireAdmin(c.var.principal));
      if (groups.some((group) => group.name === name)) {
        throw new AppError("conflict", `there is a group ${name} already`);
      }
      const description = typed(fields, "description") ?? "";
      await putGroup(deps, c.var.principal, name, { description, members: [] });
      return c.redirect(groupPath(name), 303);
    },
    (message) => showGroups(deps, c, view, message),
  );
}

function removeGroupByForm(deps: Deps, c: Context<Env>, view: View): Promise<Response> {
  return answerForm(
    c,
    async () => {
      await removeGroup(deps, c.var.principal, nameOf(c));
      return c.redirect("/admin/groups", 303);
    },
    (message) => showGroups(deps, c, view, message),
  );
}

const changeGroupByForm = groupForm(async (deps, c, fields) => {
  const { members } = await findGroup(deps, c);
  const description = typed(fields, "description") ?? "";
  await putGroup(deps, c.var.principal, nameOf(c), { description, members });
});

/** Several names at a time may be put in, blanks or commas between them. */
const setMemberByForm = groupForm(async (deps, c, fields) => {
  const isMember = fields.get("member") === "yes";
  const users = (fields.get("user") ?? "").split(/[\s,]+/).filter(Boolean);
  if (users.length === 0) throw new AppError("invalid", "name at least one user");
  for (const user of users) {
    if (isMember) await getUser(deps, c.var.principal, user);
    await setMember(deps, c.var.principal, { group: nameOf(c), user, isMember });
  }
});

export const handlers = {
  "GET /admin/users": (deps: Deps, c: Context<Env>, view: View) => showUsers(deps, c, view),
  "POST /admin/users": addUserByForm,
  "GET /admin/users/:name": (deps: Deps, c: Context<Env>, view: View) => showUser(deps, c, view),
  "POST /admin/users/:name": changeUserByForm,
  "POST /admin/users/:name/group": setGroupByForm,
  "POST /admin/users/:name/password-link": passwordLinkByForm,
  "POST /admin/users/:name/sign-out": signOutByForm,
  "POST /admin/users/:name/unlink": unlinkByForm,
  "GET /admin/groups": (deps: Deps, c: Context<Env>, view: View) => showGroups(deps, c, view),
  "POST /admin/groups": addGroupByForm,
  "GET /admin/groups/:name": (deps: Deps, c: Context<Env>, view: View) => showGroup(deps, c, view),
  "POST /admin/groups/:name": changeGroupByForm,
  "POST /admin/groups/:name/member": setMemberByForm,
  "POST /admin/groups/:name/remove": removeGroupByForm,
};
