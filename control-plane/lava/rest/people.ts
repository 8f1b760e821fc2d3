import * as v from "valibot";
import type { GroupView } from "#protocol/lab-lists.ts";
import { addUserSchema, type UserView } from "#protocol/people.ts";
import type { SecretView } from "#protocol/sign-in.ts";
import { AppError } from "../../domain/app-error.ts";
import type { Deps } from "../../domain/deps.ts";
import { requireAdmin, type Principal } from "../../domain/principal.ts";
import { parse } from "../../http/read-body.ts";
import { every } from "../every.ts";
import { badField, needs, needsUser, restRoutes } from "./drf.ts";
import type { Fields } from "./lookups.ts";
import { findNamed, numberOf } from "./numbers.ts";
import { listAnswer } from "./pages.ts";
import { anyText, flag, readFields, someText, textList } from "./read-fields.ts";

/** Loaded when they are used: most requests are about jobs. */
const people = () => import("../../domain/people.ts");
const groups = () => import("../../domain/groups.ts");
const secrets = () => import("../../domain/secrets.ts");

const USER_FIELDS: Fields<UserView> = {
  username: { kind: "text", of: ({ name }) => name },
  email: { kind: "text", of: ({ email }) => email },
  is_active: { kind: "flag", of: ({ active }) => active },
  is_superuser: { kind: "flag", of: ({ admin }) => admin },
  group__name: { kind: "text", of: (user) => user.groups },
};
const GROUP_FIELDS: Fields<GroupView> = {
  name: { kind: "text", of: ({ name }) => name },
  user__username: { kind: "text", of: ({ members }) => members },
};
const addedUser = v.object({
  username: someText,
  full_name: v.optional(anyText, ""),
  email: v.optional(anyText, ""),
  is_active: v.optional(flag, true),
  is_superuser: v.optional(flag, false),
});
const addedGroup = v.object({
  name: someText,
  description: v.optional(anyText, ""),
  members: v.optional(textList, []),
});

/** `/api/v0.2/users/` and `/groups/`, as newer servers have them: read and made here, changed by `pumice users` and `pumice groups`. */
export function restPeopleRoutes(deps: Deps) {
  const app = restRoutes(deps);
  app.get("/users/", needs(deps, "read"), async (c) => {
    const rows = await everyUser(deps, c.var.principal);
    const searched = ["username", "email"];
    return c.json(await listAnswer(c, rows, USER_FIELDS, { searched, view: restUser }));
  });
  app.post("/users/", needs(deps, "admin"), async (c) => {
    const {
      username: name,
      is_active,
      is_superuser,
      ...rest
    } = await readFields(c.req.raw, addedUser);
    const given = { name, active: is_active, admin: is_superuser, ...rest };
    const { addUser } = await people();
    const request = parse(addUserSchema, given, "user");
    const user = await addUser(deps, c.var.principal, request).catch(
      taken("username", "A user with that username already exists."),
    );
    return c.json(restUser(user), 201);
  });
  app.get("/users/:name/", needs(deps, "read"), async (c) => {
    const { getUser } = await people();
    return c.json(restUser(await getUser(deps, c.var.principal, c.req.param("name"))));
  });
  app.get("/groups/", needs(deps, "read"), async (c) => {
    const { listGroups } = await groups();
    const rows = (await listGroups(deps, c.var.principal)).groups;
    return c.json(await listAnswer(c, rows, GROUP_FIELDS, { searched: ["name"], view: restGroup }));
  });
  app.post("/groups/", needs(deps, "admin"), async (c) => {
    const { name, ...rest } = await readFields(c.req.raw, addedGroup);
    const { listGroups, putGroup } = await groups();
    const { groups: known } = await listGroups(deps, requireAdmin(c.var.principal));
    if (known.some((group) => group.name === name)) {
      throw badField("name", "group with this name already exists.");
    }
    return c.json(restGroup(await putGroup(deps, c.var.principal, name, rest)), 201);
  });
  app.get("/groups/:name/", needs(deps, "read"), async (c) => {
    const { listGroups } = await groups();
    const all = (await listGroups(deps, c.var.principal)).groups;
    const found = all.find(({ name }) => name === c.req.param("name"));
    if (!found) throw new AppError("not_found", "there is no such group");
    return c.json(restGroup(found));
  });
  return app;
}

const taken =
  (field: string, message: string) =>
  (error: unknown): never => {
    if (!(error instanceof AppError) || error.code !== "conflict") throw error;
    throw badField(field, message);
  };

async function everyUser(deps: Deps, principal: Principal): Promise<UserView[]> {
  const { listUsers } = await people();
  return every(async (cursor) => {
    const { users: items, ...rest } = await listUsers(deps, principal, { limit: 500, cursor });
    return { items, ...rest };
  });
}

const restUser = (user: UserView) => ({
  username: user.name,
  full_name: user.full_name,
  email: user.email,
  is_active: user.active,
  is_superuser: user.admin,
  groups: user.groups,
  date_joined: user.created,
});
const restGroup = ({ name, description, members }: GroupView) => ({ name, description, members });

const SECRET_FIELDS: Fields<SecretView> = {
  id: { kind: "number", of: ({ name }) => numberOf("secret", name) },
  name: { kind: "text", of: ({ name }) => name },
};
const secretSchema = v.object({ name: someText, token: someText });

/** `/api/v0.2/remote-artifact-tokens/`: one's own. What one is, is told to nobody again. */
export function restSecretRoutes(deps: Deps) {
  const app = restRoutes(deps);
  const mine = async (principal: Principal) =>
    (await (await secrets()).listSecrets(deps, principal)).secrets;
  app.get("/remote-artifact-tokens/", needsUser(deps), async (c) => {
    const rows = await mine(c.var.principal);
    const view = restSecret;
    return c.json(await listAnswer(c, rows, SECRET_FIELDS, { searched: ["name"], view }));
  });
  app.post("/remote-artifact-tokens/", needs(deps, "admin"), async (c) => {
    const { name, token: value } = await readFields(c.req.raw, secretSchema);
    const { putSecret } = await secrets();
    return c.json(restSecret(await putSecret(deps, c.var.principal, name, { value })), 201);
  });
  app.delete("/remote-artifact-tokens/:secret/", needs(deps, "admin"), async (c) => {
    const all = await mine(c.var.principal);
    const found = findNamed(all, "secret", ({ name }) => name, c.req.param("secret"));
    if (!found) throw new AppError("not_found", "you have no such token");
    await (await secrets()).removeSecret(deps, c.var.principal, found.name);
    return c.body(null, 204);
  });
  return app;
}

const restSecret = ({ name }: SecretView) => ({ id: numberOf("secret", name), name });
