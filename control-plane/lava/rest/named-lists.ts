import * as v from "valibot";
import type { AliasView, TagView } from "#protocol/lab-lists.ts";
import { AppError } from "../../domain/app-error.ts";
import type { Deps } from "../../domain/deps.ts";
import type { Principal } from "../../domain/principal.ts";
import { everyAlias, everyTag } from "../every.ts";
import { badField, needs, restRoutes } from "./drf.ts";
import type { Fields } from "./lookups.ts";
import { findNamed, numberOf } from "./numbers.ts";
import { listAnswer } from "./pages.ts";
import { anyText, readFields, someText } from "./read-fields.ts";

/** Loaded when they are used: most requests are about jobs. */
const tags = () => import("../../domain/tags.ts");
const aliases = () => import("../../domain/aliases.ts");

const TAG_FIELDS: Fields<TagView> = {
  id: { kind: "number", of: ({ name }) => numberOf("tag", name) },
  name: { kind: "text", of: ({ name }) => name },
  description: { kind: "text", of: ({ description }) => description },
};
const tagSchema = v.object({ name: someText, description: v.optional(anyText) });

/** `/api/v0.2/tags/`: those that are described, and those that a device has. By their number here, or by name. */
export function restTagRoutes(deps: Deps) {
  const app = restRoutes(deps);
  const tagOf = async (principal: Principal, named = ""): Promise<TagView> => {
    const found = findNamed(await everyTag({ deps, principal }), "tag", ({ name }) => name, named);
    if (!found) throw new AppError("not_found", `there is no tag ${named}`);
    return found;
  };
  app.get("/tags/", needs(deps, "read"), async (c) => {
    const rows = await everyTag({ deps, principal: c.var.principal });
    const searched = ["name", "description"];
    return c.json(await listAnswer(c, rows, TAG_FIELDS, { searched, view: restTag }));
  });
  app.post("/tags/", needs(deps, "workers"), async (c) => {
    const { name, description = "" } = await readFields(c.req.raw, tagSchema);
    const { listTags, putTag } = await tags();
    if ((await listTags(deps, c.var.principal)).tags.some((tag) => tag.name === name)) {
      throw badField("name", "tag with this name already exists.");
    }
    return c.json(restTag(await putTag(deps, c.var.principal, name, { description })), 201);
  });
  app.get("/tags/:tag/", needs(deps, "read"), async (c) =>
    c.json(restTag(await tagOf(c.var.principal, c.req.param("tag")))),
  );
  app.on(["PUT", "PATCH"], "/tags/:tag/", needs(deps, "workers"), async (c) => {
    const { name: wanted, description } = await readFields(c.req.raw, v.partial(tagSchema));
    const tag = await tagOf(c.var.principal, c.req.param("tag"));
    if (wanted !== undefined && wanted !== tag.name) {
      throw badField("name", "A tag keeps its name: make another one.");
    }
    const changed = { description: description ?? tag.description };
    return c.json(restTag(await (await tags()).putTag(deps, c.var.principal, tag.name, changed)));
  });
  app.delete("/tags/:tag/", needs(deps, "workers"), async (c) => {
    const { name } = await tagOf(c.var.principal, c.req.param("tag"));
    await (await tags()).removeTag(deps, c.var.principal, name);
    return c.body(null, 204);
  });
  return app;
}

const restTag = ({ name, description }: TagView) => ({
  id: numberOf("tag", name),
  name,
  description: description === "" ? null : description,
});

const ALIAS_FIELDS: Fields<AliasView> = {
  name: { kind: "text", of: ({ name }) => name },
  device_type: { kind: "text", of: (alias) => alias.device_type },
  device_type__name: { kind: "text", of: (alias) => alias.device_type },
};
const aliasSchema = v.object({ name: someText, device_type: someText });

/** `/api/v0.2/aliases/` */
export function restAliasRoutes(deps: Deps) {
  const app = restRoutes(deps);
  const aliasOf = async (principal: Principal, name = ""): Promise<AliasView> => {
    const found = (await everyAlias({ deps, principal })).find((alias) => alias.name === name);
    if (!found) throw new AppError("not_found", `there is no alias ${name}`);
    return found;
  };
  app.get("/aliases/", needs(deps, "read"), async (c) => {
    const rows = await everyAlias({ deps, principal: c.var.principal });
    const searched = ["name", "device_type"];
    const view = ({ name, device_type }: AliasView) => ({ name, device_type });
    return c.json(await listAnswer(c, rows, ALIAS_FIELDS, { searched, view }));
  });
  app.post("/aliases/", needs(deps, "workers"), async (c) => {
    const { name, device_type } = await readFields(c.req.raw, aliasSchema);
    const known = await everyAlias({ deps, principal: c.var.principal });
    if (known.some((alias) => alias.name === name)) {
      throw badField("name", "alias with this Alias for this device-type already exists.");
    }
    return c.json(await putAlias(deps, c.var.principal, name, device_type), 201);
  });
  app.get("/aliases/:name/", needs(deps, "read"), async (c) =>
    c.json(await aliasOf(c.var.principal, c.req.param("name"))),
  );
  app.on(["PUT", "PATCH"], "/aliases/:name/", needs(deps, "workers"), async (c) => {
    const { device_type } = await readFields(c.req.raw, v.partial(aliasSchema));
    const alias = await aliasOf(c.var.principal, c.req.param("name"));
    const type = device_type ?? alias.device_type;
    return c.json(await putAlias(deps, c.var.principal, alias.name, type));
  });
  app.delete("/aliases/:name/", needs(deps, "workers"), async (c) => {
    await (await aliases()).removeAlias(deps, c.var.principal, c.req.param("name"));
    return c.body(null, 204);
  });
  return app;
}

async function putAlias(deps: Deps, principal: Principal, name: string, device_type: string) {
  try {
    return await (await aliases()).putAlias(deps, principal, name, { device_type });
  } catch (error) {
    if (!(error instanceof AppError) || !error.message.startsWith("device_type: ")) throw error;
    throw badField("device_type", `Invalid pk "${device_type}" - object does not exist.`);
  }
}
