import type { DeviceView } from "#protocol/api.ts";
import { tagName } from "#protocol/lab.ts";
import { AppError } from "./app-error.ts";
import { editChange } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { deviceItem, deviceView, type DeviceRecord } from "./device-record.ts";
import { requireName } from "./require-name.ts";
import { requireUser, type Principal } from "./principal.ts";
import { retrying } from "./retrying.ts";
import { getChangeableDevice } from "./visible.ts";

const MOST_TAGS = 100;

/**
 * Changes which tags a device has, for whoever may change it; `change` is given those that it has at that moment. Throws
 * `not_found`, `invalid` for what is no tag, and what `change` throws.
 */
export async function changeDeviceTags(
  deps: Deps,
  principal: Principal,
  hostname: string,
  change: (tags: readonly string[]) => readonly string[],
): Promise<DeviceView> {
  const user = requireUser(principal);
  const device = await retrying(async () => {
    const { data, version } = await getChangeableDevice(deps, user, hostname);
    const tags = [...new Set(change(data.tags))];
    for (const tag of tags) requireName(tagName, tag, "tag");
    if (tags.length > MOST_TAGS) {
      throw new AppError("invalid", `tags: expected at most ${MOST_TAGS}`);
    }
    const record: DeviceRecord = { ...data, tags };
    await deps.table.transact([
      { put: deviceItem(record), when: { version } },
      ...editChange(deps, "device", hostname, [{ tags: data.tags }, { tags }], { who: user.name }),
    ]);
    return record;
  });
  // A job may wait for just this tag.
  await deps.signals.requestPass(device.device_type);
  return deviceView(deps, device);
}
