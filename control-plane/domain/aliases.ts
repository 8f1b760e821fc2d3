import { sightOf } from "./visible.ts";
import { editChange } from "./changes.ts";
import type { AliasView } from "#protocol/lab-lists.ts";
import { labName } from "#protocol/lab.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { deviceTypeKey, namedKey } from "./keys.ts";
import { listNamed, namedItem, removeNamed } from "./named-items.ts";
import { requireName } from "./require-name.ts";
import { requireAdmin, type Principal } from "./principal.ts";
import { retrying } from "./retrying.ts";

/** The device type that a job's `device_type` means: an alias is looked up first (SCHEDULER.md 4). */
export async function resolveDeviceType(deps: Deps, name: string): Promise<string> {
  const alias = await deps.table.get<AliasView>(namedKey("aliases", name));
  return alias?.data.device_type ?? name;
}

/** Aliases by name, those of device types that whoever asks may see. */
export async function listAliases(
  deps: Deps,
  principal: Principal,
): Promise<{ aliases: AliasView[] }> {
  const sight = await sightOf(deps, principal);
  const aliases: AliasView[] = [];
  for (const alias of await listNamed<AliasView>(deps, "aliases")) {
    if (sight.deviceType(await sight.typeNamed(alias.device_type))) aliases.push(alias);
  }
  return { aliases };
}

/** Another name for a device type. Throws `invalid` when there is no such type, `conflict` when the name is a type's. */
export async function putAlias(
  deps: Deps,
  principal: Principal,
  name: string,
  { device_type }: { device_type: string },
): Promise<AliasView> {
  const { name: who } = requireAdmin(principal);
  requireName(labName, name, "alias");
  const alias: AliasView = { name, device_type };
  await retrying(async () => {
    const type = await deps.table.get(deviceTypeKey(device_type));
    if (!type) throw new AppError("invalid", `device_type: there is no device type ${device_type}`);
    if (await deps.table.get(deviceTypeKey(name))) {
      throw new AppError("conflict", `${name} is a device type: an alias needs a name of its own`);
    }
    const old = (await deps.table.get<AliasView>(namedKey("aliases", name)))?.data;
    await deps.table.transact([
      { put: namedItem("aliases", alias) },
      ...editChange(deps, "alias", name, [old, alias], { who }),
      { check: deviceTypeKey(device_type), when: { version: type.version } },
      { check: deviceTypeKey(name), when: "absent" },
    ]);
  });
  return alias;
}

/** Throws `not_found`. Jobs that were submitted by it keep their type. */
export async function removeAlias(deps: Deps, principal: Principal, name: string): Promise<void> {
  await removeNamed(deps, "aliases", name, "alias", requireAdmin(principal));
}
