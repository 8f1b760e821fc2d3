import * as v from "valibot";
import { editDeviceSchema } from "#protocol/edit-device.ts";
import { DEVICE_HEALTHS, DEVICE_STATES, type DeviceHealth } from "#protocol/states.ts";
import type { DeviceView } from "#protocol/api.ts";
import { AppError } from "../../domain/app-error.ts";
import type { Deps } from "../../domain/deps.ts";
import type { Principal } from "../../domain/principal.ts";
import { parse } from "../../http/read-body.ts";
import { everyDevice, everyTag } from "../every.ts";
import { badField, needs, RestRefusal, restRoutes } from "./drf.ts";
import type { Fields } from "./lookups.ts";
import { findNamed, numberOf } from "./numbers.ts";
import { listAnswer } from "./pages.ts";
import { anyText, checkFields, choice, readBody, someText, textList } from "./read-fields.ts";

/** Loaded when they are used: most requests are about jobs. */
const devices = () => import("../../domain/devices.ts");
const tagRules = () => import("../../domain/device-tags.ts");

const text = (of: (device: DeviceView) => string | undefined | readonly string[]) =>
  ({ kind: "text", of }) as const;
const FIELDS: Fields<DeviceView> = {
  hostname: text(({ hostname }) => hostname),
  device_type: text((device) => device.device_type),
  device_type__name: text((device) => device.device_type),
  description: text(({ description }) => description),
  physical_owner: text((device) => device.physical_owner),
  physical_owner__username: text((device) => device.physical_owner),
  physical_group: text((device) => device.physical_group),
  physical_group__name: text((device) => device.physical_group),
  tags__name: text(({ tags }) => tags),
  state: { kind: "choice", choices: DEVICE_STATES, of: ({ state }) => state },
  health: { kind: "choice", choices: DEVICE_HEALTHS, of: ({ health }) => health },
  worker_host: text(({ worker }) => worker),
  worker_host__hostname: text(({ worker }) => worker),
  last_health_report_job: { kind: "number", of: (device) => device.last_health_report_job },
};

const details = {
  description: v.optional(anyText),
  physical_owner: v.optional(anyText),
  physical_group: v.optional(anyText),
  worker_host: v.optional(someText),
  tags: v.optional(textList),
};
const changes = v.object({
  ...details,
  device_type: v.optional(someText),
  health: v.optional(choice(DEVICE_HEALTHS)),
});
const whole = v.object({ ...details, device_type: someText, health: choice(DEVICE_HEALTHS) });
const added = v.object({ ...whole.entries, hostname: someText, worker_host: someText });
type Changes = v.InferOutput<typeof changes>;

/** `/api/v0.2/devices/`: who they are. What they are is in their dictionaries (device-files.ts). */
export function restDeviceRoutes(deps: Deps) {
  const app = restRoutes(deps);
  app.get("/devices/", needs(deps, "read"), async (c) => {
    const rows = await everyDevice({ deps, principal: c.var.principal });
    const searched = ["hostname", "device_type", "description"];
    return c.json(await listAnswer(c, rows, FIELDS, { searched, view: restDevice }));
  });
  app.post("/devices/", needs(deps, "workers"), async (c) => {
    const fields = checkFields(added, await readBody(c.req.raw));
    return c.json(restDevice(await add(deps, c.var.principal, fields)), 201);
  });
  app.get("/devices/:hostname/", needs(deps, "read"), async (c) => {
    const { getDevice } = await devices();
    return c.json(restDevice(await getDevice(deps, c.var.principal, c.req.param("hostname"))));
  });
  app.on(["PUT", "PATCH"], "/devices/:hostname/", needs(deps, "workers"), async (c) => {
    const schema = c.req.method === "PUT" ? whole : changes;
    const fields: Changes = checkFields(schema, await readBody(c.req.raw));
    return c.json(restDevice(await edit(deps, c.var.principal, c.req.param("hostname"), fields)));
  });
  app.delete("/devices/:hostname/", needs(deps, "workers"), async (c) => {
    await (await devices()).removeDevice(deps, c.var.principal, c.req.param("hostname"));
    return c.body(null, 204);
  });
  app.post("/devices/:hostname/set_health/", needs(deps, "workers"), async (c) => {
    const { health: word, reason } = checkFields(healthSchema, await readBody(c.req.raw));
    const health = healthOf(word);
    const request = { health, reason: reason?.slice(0, 1000) };
    const { setDeviceHealth } = await devices();
    await setDeviceHealth(deps, c.var.principal, c.req.param("hostname"), request);
    return c.json({ message: "OK" }, 202);
  });
  return app;
}

const healthSchema = v.object({
  health: v.optional(v.unknown()),
  reason: v.optional(anyText),
});

/** Any case; LAVA's refusal is a message, not one of the field. */
function healthOf(word: unknown): DeviceHealth {
  const given = typeof word === "string" ? word.slice(0, 100) : "None";
  const found = DEVICE_HEALTHS.find((one) => one.toLowerCase() === given.toLowerCase());
  if (found !== undefined) return found;
  throw new RestRefusal(400, {
    message: `Wrong device health ${given === "None" ? given : given.toUpperCase()}`,
  });
}

function restDevice(device: DeviceView) {
  return {
    hostname: device.hostname,
    device_type: device.device_type,
    device_version: null,
    physical_owner: device.physical_owner ?? null,
    physical_group: device.physical_group ?? null,
    description: device.description === "" ? null : device.description,
    tags: device.tags.map((tag) => numberOf("tag", tag)),
    state: device.state,
    health: device.health,
    last_health_report_job: device.last_health_report_job ?? null,
    worker_host: device.worker,
    is_synced: false,
  };
}

/** Without a dictionary, which is set by a second request; and so without what that would say. */
async function add(
  deps: Deps,
  principal: Principal,
  { hostname, worker_host: worker, tags = [], ...fields }: v.InferOutput<typeof added>,
): Promise<DeviceView> {
  const { device_type, health, description = "" } = fields;
  await requireType(deps, principal, device_type);
  const { addBareDevice } = await import("../../domain/add-bare-device.ts");
  const named = await tagNames(deps, principal, tags);
  const device = { hostname, device_type, worker, health, description, tags: named };
  try {
    await addBareDevice(deps, principal, device);
  } catch (error) {
    throw asField(error, hostname, worker);
  }
  const { physical_owner, physical_group } = fields;
  return edit(deps, principal, hostname, { physical_owner, physical_group });
}

function asField(error: unknown, hostname: string, worker: string): unknown {
  if (!(error instanceof AppError)) return error;
  if (error.code === "conflict" && error.message.includes(hostname)) {
    return badField("hostname", "device with this Hostname already exists.");
  }
  if (error.message.startsWith("worker: ")) {
    return badField("worker_host", `Invalid pk "${worker}" - object does not exist.`);
  }
  return error;
}

async function edit(
  deps: Deps,
  principal: Principal,
  hostname: string,
  { device_type, health, tags, worker_host, ...fields }: Changes,
): Promise<DeviceView> {
  const { getDevice, setDeviceHealth } = await devices();
  const before = await getDevice(deps, principal, hostname);
  const wanted = { ...fields, ...(worker_host === before.worker ? {} : { worker: worker_host }) };
  const given = Object.entries(wanted).filter(([, value]) => value !== undefined);
  const { editDevice } = await import("../../domain/edit-device.ts");
  const request = parse(editDeviceSchema, Object.fromEntries(given), "device");
  // Also where nothing is to change: whoever may not is told so.
  try {
    await editDevice(deps, principal, hostname, request);
  } catch (error) {
    throw asField(error, hostname, worker_host ?? "");
  }
  if (device_type !== undefined && device_type !== before.device_type) {
    await requireType(deps, principal, device_type);
    const { changeDeviceType } = await import("../change-device-type.ts");
    await changeDeviceType(deps, principal, hostname, device_type);
  }
  if (tags) {
    const named = await tagNames(deps, principal, tags);
    await (await tagRules()).changeDeviceTags(deps, principal, hostname, () => named);
  }
  if (health !== undefined && health !== before.health) {
    await setDeviceHealth(deps, principal, hostname, { health });
  }
  return getDevice(deps, principal, hostname);
}

async function requireType(deps: Deps, principal: Principal, type: string): Promise<void> {
  const { getDeviceType } = await import("../../domain/device-types.ts");
  try {
    await getDeviceType(deps, principal, type);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "not_found") throw error;
    throw badField("device_type", `Invalid pk "${type}" - object does not exist.`);
  }
}

/** Tags by our numbers of them or by their names; a name may be new. */
async function tagNames(
  deps: Deps,
  principal: Principal,
  wanted: readonly string[],
): Promise<string[]> {
  if (wanted.length === 0) return [];
  const known = await everyTag({ deps, principal });
  return wanted.map((one) => {
    const found = findNamed(known, "tag", ({ name }) => name, one);
    if (!found && /^\d+$/.test(one)) {
      throw badField("tags", `Invalid pk "${one}" - object does not exist.`);
    }
    return found?.name ?? one;
  });
}
