import * as v from "valibot";
import type { Permission } from "#protocol/people.ts";
import { AppError } from "../../domain/app-error.ts";
import type { Deps } from "../../domain/deps.ts";
import { requireAdmin, type Principal } from "../../domain/principal.ts";
import { every } from "../every.ts";
import { badField, needs, restRoutes, type RestRefusal } from "./drf.ts";
import type { Fields } from "./lookups.ts";
import { numberOf } from "./numbers.ts";
import { listAnswer } from "./pages.ts";
import { choice, readFields, someText } from "./read-fields.ts";

/** Loaded when they are used: most requests are about jobs. */
const rules = () => import("../../domain/permissions.ts");

interface Granted {
  /** A group, or `user:NAME`. */
  readonly group: string;
  readonly permission: Permission;
  readonly thing: string;
}

/** LAVA's words for a permission on a thing, ours by them. */
const wordsOf = (kind: "device" | "devicetype") => ({
  view: `view_${kind}`,
  submit: `submit_to_${kind}`,
  change: `change_${kind}`,
  admin: `admin_${kind}`,
});

/**
 * `/api/v0.2/permissions/devices/` and `/devicetypes/`, for administrators. Beside groups, `user:NAME` may be granted something, and
 * everything may be administered by somebody.
 */
export const restPermissionRoutes = (deps: Deps) => {
  const app = restRoutes(deps);
  app.route("/", permissionRoutes(deps, "device", "device"));
  app.route("/", permissionRoutes(deps, "devicetype", "device-type"));
  return app;
};

function permissionRoutes(
  deps: Deps,
  word: "device" | "devicetype",
  kind: "device" | "device-type",
) {
  const app = restRoutes(deps);
  const words = wordsOf(word);
  const names = Object.keys(words) as Permission[];
  const numberIn = ({ group, permission, thing }: Granted) =>
    numberOf("permission", JSON.stringify([kind, thing, permission, group]));
  const fields: Fields<Granted> = {
    id: { kind: "number", of: numberIn },
    group: { kind: "text", of: ({ group }) => group },
    group__name: { kind: "text", of: ({ group }) => group },
    permission: { kind: "text", of: ({ permission }) => words[permission] },
    [word]: { kind: "text", of: ({ thing }) => thing },
  };
  const view = (one: Granted) => ({
    id: numberIn(one),
    group: one.group,
    permission: words[one.permission],
    [word]: one.thing,
  });
  const all = (principal: Principal) => everyGrant(deps, principal, kind);
  const find = async (principal: Principal, id: string) => {
    const found = (await all(principal)).find((one) => String(numberIn(one)) === id);
    if (!found) throw new AppError("not_found", `there is no permission ${id}`);
    return found;
  };
  const schema = v.object({
    group: someText,
    permission: choice(names.map((name) => words[name])),
    [word]: someText,
  });
  app.get(`/permissions/${word}s/`, needs(deps, "read"), async (c) => {
    const rows = await all(c.var.principal);
    return c.json(await listAnswer(c, rows, fields, { searched: ["group", word], view }));
  });
  app.post(`/permissions/${word}s/`, needs(deps, "admin"), async (c) => {
    const given: Record<string, string> = await readFields(c.req.raw, schema);
    const permission = names.find((name) => words[name] === given["permission"]) ?? "view";
    const one = { group: given["group"] ?? "", permission, thing: given[word] ?? "" };
    if (isIn(await all(c.var.principal), one)) throw twice(word);
    await grant(deps, c.var.principal, kind, word, one);
    return c.json(view(one), 201);
  });
  for (const [method, fieldsOf] of [
    ["PUT", schema],
    ["PATCH", v.partial(schema)],
  ] as const) {
    // Its number is made of what it says: it has another one afterwards.
    app.on(method, `/permissions/${word}s/:number/`, needs(deps, "admin"), async (c) => {
      const old = await find(c.var.principal, c.req.param("number") ?? "");
      const given: Record<string, string | undefined> = await readFields(c.req.raw, fieldsOf);
      const permission = names.find((name) => words[name] === given["permission"]);
      const one = {
        group: given["group"] ?? old.group,
        permission: permission ?? old.permission,
        thing: given[word] ?? old.thing,
      };
      if (isSame(one, old)) return c.json(view(old));
      if (isIn(await all(c.var.principal), one)) throw twice(word);
      await grant(deps, c.var.principal, kind, word, one);
      await takeBack(deps, c.var.principal, kind, old);
      return c.json(view(one));
    });
  }
  app.get(`/permissions/${word}s/:number/`, needs(deps, "read"), async (c) =>
    c.json(view(await find(c.var.principal, c.req.param("number") ?? ""))),
  );
  app.delete(`/permissions/${word}s/:number/`, needs(deps, "admin"), async (c) => {
    const one = await find(c.var.principal, c.req.param("number") ?? "");
    await takeBack(deps, c.var.principal, kind, one);
    return c.body(null, 204);
  });
  return app;
}

const isSame = (one: Granted, other: Granted): boolean =>
  one.group === other.group && one.permission === other.permission && one.thing === other.thing;
const isIn = (all: readonly Granted[], one: Granted): boolean =>
  all.some((other) => isSame(one, other));
const twice = (word: string): RestRefusal => {
  const message = `The fields group, permission, ${word} must make a unique set.`;
  return badField("non_field_errors", message);
};

async function takeBack(
  deps: Deps,
  principal: Principal,
  kind: "device" | "device-type",
  { group: to, permission, thing }: Granted,
): Promise<void> {
  await (await rules()).grant(deps, principal, kind, thing, { to, permission, remove: true });
}

async function everyGrant(
  deps: Deps,
  principal: Principal,
  kind: "device" | "device-type",
): Promise<Granted[]> {
  const admin = requireAdmin(principal);
  const { listPermissions } = await rules();
  const things = await every(async (cursor) => {
    const page = await listPermissions(deps, admin, kind, { limit: 500, cursor });
    return { items: page.permissions, next_cursor: page.next_cursor };
  });
  return things.flatMap(({ name: thing, permissions }) =>
    Object.entries(permissions).flatMap(([permission, groups]) =>
      (groups as string[]).map((group) => ({ group, permission: permission as Permission, thing })),
    ),
  );
}

async function grant(
  deps: Deps,
  principal: Principal,
  kind: "device" | "device-type",
  word: string,
  { group: to, permission, thing }: Granted,
): Promise<void> {
  try {
    await (await rules()).grant(deps, principal, kind, thing, { to, permission, remove: false });
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    if (error.code === "invalid") throw badField("group", `Object with name=${to} does not exist.`);
    if (error.code !== "not_found") throw error;
    throw badField(word, `Invalid pk "${thing}" - object does not exist.`);
  }
}
