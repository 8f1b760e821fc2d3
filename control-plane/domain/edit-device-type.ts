import type { DeviceTypeView } from "#protocol/api.ts";
import type { LabDeviceType } from "#protocol/lab.ts";
import type { Deps } from "./deps.ts";
import {
  changeTypeItem,
  getDeviceType,
  getTypeToChange,
  type DeviceTypeRecord,
} from "./device-types.ts";
import { requireUser, type Principal } from "./principal.ts";
import { retrying } from "./retrying.ts";

/**
 * Changes what is named of a device type; its permissions are not changed here. Throws `not_found`, `forbidden`.
 */
export async function editDeviceType(
  deps: Deps,
  principal: Principal,
  name: string,
  fields: Partial<Omit<LabDeviceType, "permissions">>,
): Promise<DeviceTypeView> {
  const user = requireUser(principal);
  await retrying(async () => {
    const item = await getTypeToChange(deps, user, name, "change");
    const record: DeviceTypeRecord = { ...item.data };
    for (const [field, value] of Object.entries(fields)) {
      if (value !== undefined) Object.assign(record, { [field]: value });
    }
    await deps.table.transact(changeTypeItem(deps, user, item, record));
  });
  return getDeviceType(deps, user, name);
}
