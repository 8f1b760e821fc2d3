import * as v from "valibot";
import { addUserSchema, grantSchema, labUserSchema, PERMISSION_KINDS } from "#protocol/people.ts";
import type { Deps } from "../domain/deps.ts";
import { requireAdmin, requireUser } from "../domain/principal.ts";
import { parse, readJson } from "./read-body.ts";
import { pageQuery, queryNumber, routes } from "./route.ts";

const text = v.optional(v.pipe(v.string(), v.maxLength(300)));
const auditQuery = v.object({
  ...{ kind: text, name: text, who: text, from: text, to: text, cursor: text },
  limit: v.optional(queryNumber),
});
const kindSchema = v.picklist(PERMISSION_KINDS, `expected ${PERMISSION_KINDS.join(", ")}`);
const listQuery = v.object({ ...pageQuery.entries, kind: v.optional(kindSchema, "lab") });

/** Loaded when they are used: most requests are about jobs. */
const people = () => import("../domain/people.ts");
const permissions = () => import("../domain/permissions.ts");

/** `/api/v1/users`, `/me`, a group's members, `/permissions` and `/audit` */
export function peopleRoutes(deps: Deps) {
  const app = routes();
  app.get("/me", async (c) => c.json((await people()).whoAmI(c.var.principal)));
  app.get("/users", async (c) =>
    c.json(
      await (
        await people()
      ).listUsers(deps, c.var.principal, parse(pageQuery, c.req.query(), "query")),
    ),
  );
  app.post("/users", async (c) => {
    const principal = requireAdmin(c.var.principal);
    return c.json(
      await (await people()).addUser(deps, principal, await readJson(c.req.raw, addUserSchema)),
      201,
    );
  });
  app.get("/users/:name", async (c) =>
    c.json(await (await people()).getUser(deps, c.var.principal, c.req.param("name"))),
  );
  app.patch("/users/:name", async (c) => {
    const principal = requireAdmin(c.var.principal);
    const fields = await readJson(c.req.raw, labUserSchema);
    return c.json(await (await people()).changeUser(deps, principal, c.req.param("name"), fields));
  });
  app.on(["PUT", "DELETE"], "/groups/:name/members/:user", async (c) => {
    const { name: group, user } = c.req.param();
    const { setMember } = await import("../domain/groups.ts");
    const isMember = c.req.method === "PUT";
    return c.json(await setMember(deps, c.var.principal, { group, user, isMember }));
  });
  app.get("/permissions", async (c) => {
    const { kind, ...page } = parse(listQuery, c.req.query(), "query");
    return c.json(await (await permissions()).listPermissions(deps, c.var.principal, kind, page));
  });
  app.get("/permissions/:kind/:name", async (c) => {
    const kind = parse(kindSchema, c.req.param("kind"), "kind");
    return c.json(
      await (await permissions()).getPermissions(deps, c.var.principal, kind, c.req.param("name")),
    );
  });
  app.post("/permissions/:kind/:name", async (c) => {
    const principal = requireUser(c.var.principal);
    const kind = parse(kindSchema, c.req.param("kind"), "kind");
    const request = await readJson(c.req.raw, grantSchema);
    return c.json(
      await (await permissions()).grant(deps, principal, kind, c.req.param("name"), request),
    );
  });
  app.get("/audit", async (c) => {
    const { readAudit } = await import("../domain/audit.ts");
    return c.json(
      await readAudit(deps, c.var.principal, parse(auditQuery, c.req.query(), "query")),
    );
  });
  return app;
}
