import * as v from "valibot";
import type { DeviceTypeView } from "#protocol/api.ts";
import { AppError } from "../../domain/app-error.ts";
import type { Deps } from "../../domain/deps.ts";
import { parse } from "../../http/read-body.ts";
import { labDeviceTypeSchema } from "#protocol/lab.ts";
import type { Principal } from "../../domain/principal.ts";
import { everyAlias, everyDeviceType } from "../every.ts";
import { asFile } from "../file-answer.ts";
import { badField, needs, RestRefusal, restRoutes } from "./drf.ts";
import type { Fields } from "./lookups.ts";
import { listAnswer } from "./pages.ts";
import { anyText, choice, flag, readFields, someText, wholeNumber } from "./read-fields.ts";

/** Loaded when they are used: most requests are about jobs. */
const rules = () => import("../../domain/device-types.ts");

const FIELDS: Fields<DeviceTypeView> = {
  name: { kind: "text", of: ({ name }) => name },
  description: { kind: "text", of: ({ description }) => description },
  display: { kind: "flag", of: ({ display }) => display },
  health_frequency: { kind: "number", of: (type) => type.health_frequency },
  health_denominator: { kind: "text", of: (type) => type.health_denominator },
  disable_health_check: { kind: "flag", of: (type) => type.health_disabled },
};
const DENOMINATORS = ["hours", "jobs"] as const;
const changes = v.object({
  description: v.optional(anyText),
  display: v.optional(flag),
  health_frequency: v.optional(wholeNumber),
  health_denominator: v.optional(choice(DENOMINATORS)),
  disable_health_check: v.optional(flag),
});
const added = v.object({ name: someText, ...changes.entries });
type Changes = v.InferOutput<typeof changes>;

/** `/api/v0.2/devicetypes/` */
export function restDeviceTypeRoutes(deps: Deps) {
  const app = restRoutes(deps);
  app.get("/devicetypes/", needs(deps, "read"), async (c) => {
    const call = { deps, principal: c.var.principal };
    const rows = await everyDeviceType(call);
    const view = await viewer(call);
    return c.json(await listAnswer(c, rows, FIELDS, { searched: ["name", "description"], view }));
  });
  app.post("/devicetypes/", needs(deps, "workers"), async (c) => {
    const call = { deps, principal: c.var.principal };
    const { name, ...fields } = await readFields(c.req.raw, added);
    await requireNew(call, name);
    const { DEVICE_TYPE_DEFAULTS, putDeviceType } = await rules();
    const type = { ...DEVICE_TYPE_DEFAULTS, ...ours(fields) };
    return c.json((await viewer(call))(await putDeviceType(deps, call.principal, name, type)), 201);
  });
  app.get("/devicetypes/:name/", needs(deps, "read"), async (c) => {
    const call = { deps, principal: c.var.principal };
    const { getDeviceType } = await rules();
    const type = await getDeviceType(deps, call.principal, c.req.param("name"));
    return c.json((await viewer(call))(type));
  });
  app.on(["PUT", "PATCH"], "/devicetypes/:name/", needs(deps, "workers"), async (c) => {
    const call = { deps, principal: c.var.principal };
    const fields = await readFields(c.req.raw, changes);
    const { editDeviceType } = await import("../../domain/edit-device-type.ts");
    const name = c.req.param("name");
    await editDeviceType(deps, call.principal, name, ours(fields));
    const { getDeviceType } = await rules();
    return c.json((await viewer(call))(await getDeviceType(deps, call.principal, name)));
  });
  app.delete("/devicetypes/:name/", needs(deps, "workers"), async (c) => {
    await (await rules()).removeDeviceType(deps, c.var.principal, c.req.param("name"));
    return c.body(null, 204);
  });
  return app;
}

/** `/api/v0.2/devicetypes/T/template/` and `/health_check/` */
export function restDeviceTypeFileRoutes(deps: Deps) {
  const app = restRoutes(deps);
  const sees = async (principal: Principal, name: string, isOwn: boolean) => {
    await (await rules()).getDeviceType(deps, principal, name);
    if (!isOwn) return;
    const { requireOnLab } = await import("../../domain/visible.ts");
    await requireOnLab(deps, principal, "view");
  };
  app.get("/devicetypes/:name/template/", needs(deps, "read"), async (c) => {
    const name = c.req.param("name");
    const { findText } = await import("../../domain/texts.ts");
    const own = await findText(deps, "template", `${name}.jinja2`);
    // Pumice's are no secret.
    await sees(c.var.principal, name, own !== undefined);
    const text = own?.text ?? deps.templates(`${name}.jinja2`);
    if (text !== undefined) return asFile(c, text, "application/yaml", `${name}.jinja2`);
    throw new RestRefusal(400, { detail: `Device-type '${name}' template was not found.` });
  });
  app.post("/devicetypes/:name/template/", needs(deps, "workers"), async (c) => {
    const { template } = await readFields(c.req.raw, v.object({ template: v.optional(someText) }));
    if (template === undefined) {
      throw new RestRefusal(400, { template: "Device type template is required." });
    }
    const { putTemplate } = await import("../../domain/own-templates.ts");
    await putTemplate(deps, c.var.principal, `${c.req.param("name")}.jinja2`, template);
    return c.body(null, 204);
  });
  app.get("/devicetypes/:name/health_check/", needs(deps, "read"), async (c) => {
    const name = c.req.param("name");
    await sees(c.var.principal, name, true);
    const { findText } = await import("../../domain/texts.ts");
    const found = await findText(deps, "health-check", name);
    if (found) return asFile(c, found.text, "application/yaml", `${name}.yaml`);
    throw new RestRefusal(400, { detail: `Device-type '${name}' health check was not found.` });
  });
  app.post("/devicetypes/:name/health_check/", needs(deps, "workers"), async (c) => {
    const { config } = await readFields(c.req.raw, v.object({ config: v.optional(someText) }));
    if (config === undefined) {
      throw new RestRefusal(400, { config: "Health check configuration is required." });
    }
    const { putHealthCheck } = await import("../../domain/health-checks.ts");
    await putHealthCheck(deps, c.var.principal, c.req.param("name"), config);
    return c.body(null, 204);
  });
  return app;
}

interface Caller {
  deps: Deps;
  principal: Principal;
}

/** With the aliases of all types, which are read once. */
async function viewer(call: Caller): Promise<(type: DeviceTypeView) => object> {
  const aliases = await everyAlias(call);
  return (type) => ({
    name: type.name,
    architecture: null,
    processor: null,
    cpu_model: null,
    aliases: aliases.filter((one) => one.device_type === type.name).map(({ name }) => name),
    bits: null,
    cores: [],
    core_count: null,
    description: type.description === "" ? null : type.description,
    health_frequency: type.health_frequency,
    disable_health_check: type.health_disabled,
    health_denominator: type.health_denominator,
    display: type.display,
  });
}

/** What was given, under our names. */
function ours({ disable_health_check: health_disabled, ...fields }: Changes) {
  const given = Object.entries({ ...fields, health_disabled });
  const some = given.filter(([, value]) => value !== undefined);
  return parse(v.partial(labDeviceTypeSchema), Object.fromEntries(some), "device type") as Known;
}

type Partly = v.InferOutput<typeof labDeviceTypeSchema>;
type Known = { [K in keyof Partly]?: Exclude<Partly[K], undefined> };

async function requireNew({ deps, principal }: Caller, name: string): Promise<void> {
  const { getDeviceType } = await rules();
  try {
    await getDeviceType(deps, principal, name);
  } catch (error) {
    if (error instanceof AppError && error.code === "not_found") return;
    throw error;
  }
  throw badField("name", "device type with this Name already exists.");
}
