import { accessOf, maySubmitTo } from "./access.ts";
import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import { requireReader, type Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";
import { sightBy } from "./visible.ts";

/** Whether there is a device of the type that whoever asks may see and submit to. */
export async function maySubmitToType(
  deps: Deps,
  principal: Principal,
  type: string,
): Promise<boolean> {
  const access = await accessOf(deps, requireReader(principal));
  const sight = sightBy(deps, access);
  const granted = await sight.typeNamed(type);
  for await (const { data } of queryAll<DeviceRecord>(deps, "i2", `type-devices#${type}`)) {
    if (maySubmitTo(access, data, granted) && (await sight.device(data))) return true;
  }
  return false;
}
