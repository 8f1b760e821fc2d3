import * as v from "valibot";
import { labDeviceTypeSchema } from "#protocol/lab.ts";
import { AppError } from "../../domain/app-error.ts";
import { parse } from "../../http/read-body.ts";
import { deviceTypeDetails } from "../shapes/device-type.ts";
import { addAlias, deleteAlias } from "./alias-methods.ts";
import { everyAlias, everyDevice, everyDeviceType } from "../every.ts";
import { Fault, named } from "./fault.ts";
import { flag, fromZero, maybe, method, name, text, type Call } from "./method.ts";

const T = "scheduler.device_types.";
const deviceTypes = () => import("../../domain/device-types.ts");
const templates = () => import("../../domain/own-templates.ts");
const KIND = "Device-type";

async function typeNamed({ deps, principal }: Call, type: string) {
  const { getDeviceType } = await deviceTypes();
  return named(KIND, type, getDeviceType(deps, principal, type));
}

async function list(call: Call, showAll: boolean) {
  const types = await everyDeviceType(call);
  const installed = await Promise.all(
    types.map(async ({ name, devices }) => {
      const template = call.deps.templates(`${name}.jinja2`) !== undefined;
      const hasTemplate = template || (await hasOwnTemplate(call, name));
      return { name, devices, installed: true, template: hasTemplate };
    }),
  );
  if (!showAll) return installed;
  const known = new Set(types.map(({ name }) => name));
  const others = (call.deps.templates.names?.() ?? [])
    .flatMap((file) => /^(?!base)(.+)\.jinja2$/.exec(file)?.[1] ?? [])
    .filter((name) => !known.has(name));
  const rest = others.map((name) => ({ name, devices: 0, installed: false, template: true }));
  return [...installed, ...rest];
}

async function show(call: Call, type: string) {
  const found = await typeNamed(call, type);
  const aliases = (await everyAlias(call)).filter((alias) => alias.device_type === type);
  const devices = (await everyDevice(call)).filter(({ device_type }) => device_type === type);
  return deviceTypeDetails(found, {
    aliases: aliases.map((alias) => alias.name),
    devices: devices.map(({ hostname }) => hostname),
    hasOwnTemplate: await hasOwnTemplate(call, type),
  });
}

async function hasOwnTemplate({ deps }: Call, type: string): Promise<boolean> {
  const { findText } = await import("../../domain/texts.ts");
  return (await findText(deps, "template", `${type}.jinja2`)) !== undefined;
}

/** The lab's own template is for who may see all of the lab, as the API has it; Pumice's are no secret. */
async function template(call: Call, type: string): Promise<Uint8Array> {
  const { deps, principal } = call;
  if (await hasOwnTemplate(call, type)) {
    const { requireOnLab } = await import("../../domain/visible.ts");
    await requireOnLab(deps, principal, "view");
  }
  const { labTemplates } = await templates();
  // A name is no path.
  const isName = /^[A-Za-z0-9][\w.-]{0,180}$/.test(type);
  const found = isName ? (await labTemplates(deps))(`${type}.jinja2`) : undefined;
  if (found === undefined) throw new Fault(404, `${KIND} '${type}' was not found.`);
  return new TextEncoder().encode(found);
}

async function healthCheck({ deps, principal }: Call, type: string): Promise<Uint8Array> {
  const { requireOnLab } = await import("../../domain/visible.ts");
  await requireOnLab(deps, principal, "view");
  const { getText } = await import("../../domain/texts.ts");
  const found = await named(KIND, type, getText(deps, "health-check", type));
  return new TextEncoder().encode(found.text);
}

/** What is given, as the fields of a device type. */
function fieldsOf(given: {
  description?: string | undefined;
  display?: boolean | undefined;
  health_frequency?: number | undefined;
  health_denominator?: string | undefined;
  health_disabled?: boolean | undefined;
}) {
  const { health_denominator: denominator } = given;
  if (denominator !== undefined && !/^(hours|jobs)$/.test(denominator)) {
    throw new Fault(400, "Bad request: invalid health_denominator.");
  }
  const fields = Object.entries(given).filter(([, value]) => value !== undefined);
  return parse(v.partial(labDeviceTypeSchema), Object.fromEntries(fields), "device type");
}

async function add(
  { deps, principal }: Call,
  type: string,
  given: Parameters<typeof fieldsOf>[0],
): Promise<null> {
  const fields = fieldsOf(given);
  const { getDeviceType, putDeviceType, DEVICE_TYPE_DEFAULTS } = await deviceTypes();
  const there = await getDeviceType(deps, principal, type).catch((error: unknown) => {
    if (error instanceof AppError && error.code === "not_found") return undefined;
    throw error;
  });
  if (there) throw new Fault(400, "Bad request: device-type name is already used.");
  await putDeviceType(deps, principal, type, { ...DEVICE_TYPE_DEFAULTS, ...withoutAbsent(fields) });
  return null;
}

async function update(
  { deps, principal }: Call,
  type: string,
  given: Parameters<typeof fieldsOf>[0],
): Promise<null> {
  const { editDeviceType } = await import("../../domain/edit-device-type.ts");
  await named(KIND, type, editDeviceType(deps, principal, type, withoutAbsent(fieldsOf(given))));
  return null;
}

type Known<T> = { [K in keyof T]?: Exclude<T[K], undefined> };
/** The same without what is undefined, which would be written over what there is. */
const withoutAbsent = <T extends object>(fields: T): Known<T> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Known<T>;

const details = {
  description: maybe(text),
  display: maybe(flag),
  owners_only: maybe(flag),
  health_frequency: maybe(fromZero),
  health_denominator: maybe(name),
};

/** `scheduler.device_types` */
export const deviceTypeMethods = [
  method(
    T + "list",
    "read",
    { show_all: v.nullish(flag, false) },
    "Device types of the lab with how many devices each has, counted up to 100. show_all: also those that Pumice brings and no device is of yet, as not installed.",
    (call, { show_all }) => list(call, show_all),
  ),
  method(
    T + "show",
    "read",
    { name },
    "What there is to know of a device type.",
    (call, { name }) => show(call, name),
  ),
  method(
    T + "add",
    "workers",
    { name, ...details },
    "Makes a device type. owners_only has no effect: permissions say who sees it. health_denominator: hours or jobs.",
    (call, { name, owners_only: _unused, ...given }) => add(call, name, given),
  ),
  method(
    T + "update",
    "workers",
    { name, ...details, health_disabled: maybe(flag) },
    "Changes what is given. owners_only has no effect.",
    (call, { name, owners_only: _unused, ...given }) => update(call, name, given),
  ),
  method(
    T + "get_template",
    "read",
    { name },
    "The template of a device type (Jinja2): the lab's own, else Pumice's.",
    (call, { name }) => template(call, name),
  ),
  method(
    T + "set_template",
    "workers",
    { name, config: text },
    "Gives the lab a template of its own for a device type. One that can't be read, or with which a device would no longer render, is refused.",
    async ({ deps, principal }, { name, config }) => {
      const { putTemplate } = await templates();
      await putTemplate(deps, principal, `${name}.jinja2`, config);
      return null;
    },
  ),
  method(
    T + "get_health_check",
    "read",
    { name },
    "The lab's own health check for devices whose dictionary extends this template (YAML).",
    (call, { name }) => healthCheck(call, name),
  ),
  method(
    T + "set_health_check",
    "workers",
    { name, config: text },
    "Replaces a health check; what is no job definition is refused.",
    async ({ deps, principal }, { name, config }) => {
      const { putHealthCheck } = await import("../../domain/health-checks.ts");
      await putHealthCheck(deps, principal, name, config);
      return null;
    },
  ),
  method(
    T + "aliases.list",
    "read",
    { name },
    "Other names of a device type.",
    async (call, { name }) => {
      await typeNamed(call, name);
      const aliases = await everyAlias(call);
      return aliases.filter((alias) => alias.device_type === name).map((alias) => alias.name);
    },
  ),
  method(
    T + "aliases.add",
    "workers",
    { name, alias: name },
    "Gives a device type another name.",
    async (call, { name, alias }) => {
      await typeNamed(call, name);
      return addAlias(call, alias, name);
    },
  ),
  method(
    T + "aliases.delete",
    "workers",
    { name, alias: name },
    "Takes one of its other names from a device type.",
    async (call, { name, alias }) => {
      await typeNamed(call, name);
      return deleteAlias(call, alias, name);
    },
  ),
];
