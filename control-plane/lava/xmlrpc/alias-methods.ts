import { Fault, named } from "./fault.ts";
import { everyAlias } from "../every.ts";
import { method, name, type Call } from "./method.ts";

const A = "scheduler.aliases.";

/** Gives a device type another name. Throws LAVA's fault for a name that is an alias already, which here would move it. */
export async function addAlias(call: Call, alias: string, device_type: string): Promise<null> {
  const { deps, principal } = call;
  const { putAlias } = await import("../../domain/aliases.ts");
  const there = (await everyAlias(call)).find((one) => one.name === alias);
  if (there && there.device_type !== device_type) {
    const message = `Alias '${alias}' already exists: it is that of device-type '${there.device_type}'.`;
    throw new Fault(400, message);
  }
  await putAlias(deps, principal, alias, { device_type });
  return null;
}

/** Takes an alias away, of a device type where one is named. */
export async function deleteAlias(call: Call, alias: string, device_type?: string): Promise<null> {
  const { deps, principal } = call;
  const { removeAlias } = await import("../../domain/aliases.ts");
  if (device_type !== undefined) {
    const there = (await everyAlias(call)).find((one) => one.name === alias);
    if (there?.device_type !== device_type) throw noAlias(alias);
  }
  await named("Alias", alias, removeAlias(deps, principal, alias));
  return null;
}

const noAlias = (alias: string) => new Fault(404, `Alias '${alias}' was not found.`);

/** `scheduler.aliases` */
export const aliasMethods = [
  method(A + "list", "read", {}, "Names of all aliases of device types.", async (call) =>
    (await everyAlias(call)).map((alias) => alias.name),
  ),
  method(A + "show", "read", { name }, "An alias and its device type.", async (call, { name }) => {
    const found = (await everyAlias(call)).find((alias) => alias.name === name);
    if (!found) throw noAlias(name);
    return { name, device_type: found.device_type };
  }),
  method(
    A + "add",
    "workers",
    { name, device_type_name: name },
    "Gives a device type another name.",
    (call, { name, device_type_name }) => addAlias(call, name, device_type_name),
  ),
  method(A + "delete", "workers", { name }, "Removes an alias.", (call, { name }) =>
    deleteAlias(call, name),
  ),
];
