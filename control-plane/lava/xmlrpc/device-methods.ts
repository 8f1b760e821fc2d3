import * as v from "valibot";
import { editDeviceSchema } from "#protocol/edit-device.ts";
import { DEVICE_HEALTHS, type DeviceHealth } from "#protocol/states.ts";
import { AppError } from "../../domain/app-error.ts";
import { parse } from "../../http/read-body.ts";
import { deviceDetails, deviceEntry } from "../shapes/device.ts";
import { everyDevice } from "../every.ts";
import { Fault, named } from "./fault.ts";
import { flag, maybe, method, name, text, type Call } from "./method.ts";
import type { XmlRpcValue } from "./xml-value.ts";

const D = "scheduler.devices.";
const devices = () => import("../../domain/devices.ts");
const texts = () => import("../../domain/device-texts.ts");
const tags = () => import("../../domain/device-tags.ts");

async function show({ deps, principal }: Call, hostname: string) {
  const { getDevice } = await devices();
  return named("Device", hostname, getDevice(deps, principal, hostname));
}

/** The dictionary, or what it renders to with a job's context (YAML). */
export async function dictionary(
  { deps, principal }: Call,
  hostname: string,
  { render, context }: { render: boolean; context?: string | undefined },
): Promise<Uint8Array> {
  const { deviceConfig, requireSeeingTexts } = await texts();
  await named("Device", hostname, requireSeeingTexts(deps, principal, hostname));
  if (!render) {
    const { getText } = await import("../../domain/texts.ts");
    return asFile((await named("Device", hostname, getText(deps, "device", hostname))).text);
  }
  const how = { context: await contextOf(context) };
  return asFile((await deviceConfig(deps, principal, hostname, how)).text);
}

async function contextOf(given = ""): Promise<Record<string, unknown>> {
  const { readYaml } = await import("#protocol/read-yaml.ts");
  const { value, problems } = readYaml(given);
  const [problem] = problems;
  const isMapping = typeof (value ?? {}) === "object" && !Array.isArray(value);
  if (!problem && isMapping) return (value ?? {}) as Record<string, unknown>;
  const why = problem?.message ?? "expected a mapping such as {arch: arm64}";
  throw new Fault(400, `Job Context '${given.slice(0, 200)}' is not valid: ${why}`);
}

/** Replaces a device's dictionary. Throws the fault that says what is wrong with it, where LAVA would take it. */
export async function setDictionary(
  call: Call,
  hostname: string,
  dictionary: string,
): Promise<true> {
  const { putDictionary } = await texts();
  await named("Device", hostname, putDictionary(call.deps, call.principal, hostname, dictionary));
  return true;
}

/** Sets the health; LAVA's words are in capitals. */
export async function setHealth(
  { deps, principal }: Call,
  hostname: string,
  health: DeviceHealth,
  reason?: string,
): Promise<null> {
  const { setDeviceHealth } = await devices();
  const request = { health, reason: reason?.slice(0, 1000) };
  await named("Device", hostname, setDeviceHealth(deps, principal, hostname, request));
  return null;
}

function healthOf(word: string): DeviceHealth {
  const found = DEVICE_HEALTHS.find((one) => one.toLowerCase() === word.toLowerCase());
  if (found === undefined) throw new Fault(400, `Health '${word}' is invalid`);
  return found;
}

interface Fields {
  hostname: string;
  worker_hostname?: string | undefined;
  user_name?: string | undefined;
  group_name?: string | undefined;
  health?: string | undefined;
  description?: string | undefined;
}

async function add(
  call: Call,
  { type_name, ...fields }: Fields & { type_name: string },
): Promise<null> {
  const { deps, principal } = call;
  const { hostname, worker_hostname: worker = "", description = "" } = fields;
  const health = fields.health === undefined ? undefined : healthOf(fields.health);
  const { getDeviceType } = await import("../../domain/device-types.ts");
  await named("DeviceType", type_name, getDeviceType(deps, principal, type_name));
  const { getWorker } = await import("../../domain/workers.ts");
  await named("Worker", worker, getWorker(deps, principal, worker));
  const { addBareDevice } = await import("../../domain/add-bare-device.ts");
  const device = { hostname, device_type: type_name, worker, description, health };
  try {
    await addBareDevice(deps, principal, device);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "conflict") throw error;
    throw new Fault(400, "Bad request: device already exists?");
  }
  if (fields.user_name !== undefined || fields.group_name !== undefined) {
    await edit(call, { hostname, user_name: fields.user_name, group_name: fields.group_name });
  }
  return null;
}

async function edit({ deps, principal }: Call, fields: Fields): Promise<null> {
  const { hostname, worker_hostname, user_name, group_name, description } = fields;
  const wanted = {
    ...(worker_hostname === undefined ? {} : { worker: worker_hostname }),
    ...(user_name === undefined ? {} : { physical_owner: user_name }),
    ...(group_name === undefined ? {} : { physical_group: group_name }),
    ...(description === undefined ? {} : { description }),
  };
  const request = parse(editDeviceSchema, wanted, "device");
  const { editDevice } = await import("../../domain/edit-device.ts");
  // Also where nothing is to change: whoever may not is told so.
  await named("Device", hostname, editDevice(deps, principal, hostname, request));
  return null;
}

async function update(
  call: Call,
  fields: Fields & { device_type_name?: string | undefined },
): Promise<null> {
  const health = fields.health === undefined ? undefined : healthOf(fields.health);
  await edit(call, fields);
  const { hostname, device_type_name: type } = fields;
  if (type !== undefined) await changeType(call, hostname, type);
  if (health !== undefined) await setHealth(call, hostname, health);
  return null;
}

/** A device of another type is the device once more: its text must be good for it there. */
async function changeType(call: Call, hostname: string, device_type: string): Promise<void> {
  const { deps, principal } = call;
  const { worker, tags, description, device_type: old } = await show(call, hostname);
  if (old === device_type) return;
  const { getText } = await import("../../domain/texts.ts");
  const { text, format = "dictionary" } = await getText(deps, "device", hostname);
  const { putDevice } = await devices();
  const comment = `of type ${device_type}`;
  const device = { device_type, worker, tags, description, comment, [format]: text };
  await putDevice(deps, principal, hostname, device);
}

const asFile = (given: string): Uint8Array => new TextEncoder().encode(given);

const entries = { user_name: maybe(name), group_name: maybe(name), public: v.nullish(flag, true) };

/** `scheduler.devices` */
export const deviceMethods = [
  method(
    D + "list",
    "read",
    { show_all: v.nullish(flag, false), offline_info: v.nullish(flag, false) },
    "Devices; without show_all, those that are Retired are left out.",
    async (call, { show_all }) =>
      (await everyDevice(call))
        .filter(({ health }) => show_all || health !== "Retired")
        .map(deviceEntry),
  ),
  method(
    D + "show",
    "read",
    { hostname: name },
    "What there is to know of a device.",
    async (call, { hostname }) => deviceDetails(await show(call, hostname)),
  ),
  method(
    D + "add",
    "workers",
    {
      hostname: name,
      type_name: name,
      worker_hostname: name,
      ...entries,
      health: maybe(name),
      description: maybe(text),
    },
    "Makes a device. Until it is given a dictionary it extends its type's template; where that is not enough, it is in Maintenance and can do nothing. public has no effect: permissions say who sees it.",
    (call, args) => add(call, args),
  ),
  method(
    D + "update",
    "workers",
    {
      hostname: name,
      worker_hostname: maybe(name),
      ...entries,
      health: maybe(name),
      description: maybe(text),
      device_type_name: maybe(name),
    },
    "Changes what is given. public has no effect.",
    (call, args) => update(call, args),
  ),
  method(
    D + "get_dictionary",
    "read",
    { hostname: name, render: v.nullish(flag, false), context: maybe(text) },
    "The dictionary of a device (Jinja2), or with render what it renders to (YAML), with a job's context if one is given.",
    (call, { hostname, ...how }): Promise<XmlRpcValue> => dictionary(call, hostname, how),
  ),
  method(
    D + "set_dictionary",
    "workers",
    { hostname: name, dictionary: text },
    "Replaces the dictionary of a device. Answers true; one that does not render is refused with the place of the mistake.",
    (call, args) => setDictionary(call, args.hostname, args.dictionary),
  ),
  method(
    D + "tags.list",
    "read",
    { hostname: name },
    "The tags of a device.",
    async (call, { hostname }) => (await show(call, hostname)).tags,
  ),
  method(
    D + "tags.add",
    "workers",
    { hostname: name, name },
    "Gives a device a tag.",
    async ({ deps, principal }, { hostname, name: tag }) => {
      const { changeDeviceTags } = await tags();
      await named(
        "Device",
        hostname,
        changeDeviceTags(deps, principal, hostname, (has) => [...has, tag]),
      );
      return null;
    },
  ),
  method(
    D + "tags.delete",
    "workers",
    { hostname: name, name },
    "Takes a tag from a device.",
    async ({ deps, principal }, { hostname, name: tag }) => {
      const { changeDeviceTags } = await tags();
      const others = (has: readonly string[]) => {
        if (!has.includes(tag)) throw new Fault(404, `Tag '${tag}' was not found.`);
        return has.filter((one) => one !== tag);
      };
      await named("Device", hostname, changeDeviceTags(deps, principal, hostname, others));
      return null;
    },
  ),
];
