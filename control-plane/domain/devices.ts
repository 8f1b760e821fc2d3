import type { DeviceView, PutDevice } from "#protocol/api.ts";
import type { Grants } from "#protocol/people.ts";
import { labName } from "#protocol/lab.ts";
import type { DeviceHealth } from "#protocol/states.ts";
import type { Item, Operation } from "../ports/table.ts";
import { accessOf, mayDoTo } from "./access.ts";
import { AppError } from "./app-error.ts";
import { cancel } from "./cancel.ts";
import { deviceChange, editChange, removal } from "./changes.ts";
import type { Deps } from "./deps.ts";
import {
  aboutDevice,
  deviceItem,
  deviceView,
  withPapers,
  type DeviceRecord,
} from "./device-record.ts";
import { keepDeviceType } from "./device-types.ts";
import { withMark } from "./health-rules.ts";
import { getJobItem } from "./job-record.ts";
import { deviceKey, healthDueKey, deviceTypeKey, workerKey } from "./keys.ts";
import { namedPage, type PageRequest } from "./named-page.ts";
import { requireName } from "./require-name.ts";
import { requireUser, type Principal, type User } from "./principal.ts";
import { retrying } from "./retrying.ts";
import { changeText, findText } from "./texts.ts";
import {
  getChangeableDevice,
  getVisibleDevice,
  nextPermissions,
  orForbidden,
  sightOf,
} from "./visible.ts";
import { without } from "./without.ts";

/** A page of devices in the order of their names, 100 when `limit` is not given. */
export async function listDevices(
  deps: Deps,
  principal: Principal,
  page: PageRequest = {},
): Promise<{ devices: DeviceView[]; next_cursor?: string }> {
  const sight = await sightOf(deps, principal);
  const { records, next_cursor } = await namedPage<DeviceRecord>(
    deps,
    "devices",
    ({ hostname }) => hostname,
    page,
    sight.device,
  );
  return {
    devices: records.map((device) => deviceView(deps, device)),
    ...(next_cursor === undefined ? {} : { next_cursor }),
  };
}

/** Throws `not_found`. */
export async function getDevice(
  deps: Deps,
  principal: Principal,
  hostname: string,
): Promise<DeviceView> {
  return deviceView(deps, (await getVisibleDevice(deps, principal, hostname)).data);
}

/**
 * Makes or replaces a device. A new one is Good unless said otherwise, one that is replaced keeps its health; its
 * device type is made when it is new. Throws `invalid` for an unknown worker or a dictionary or configuration that
 * is of no use, `conflict` when worker or type would change under a job.
 */
export async function putDevice(
  deps: Deps,
  principal: Principal,
  hostname: string,
  request: PutDevice,
): Promise<DeviceView> {
  const user = await requirePutting(deps, principal, hostname, request);
  if (!(await deps.table.get(workerKey(request.worker)))) {
    const message = `worker: there is no worker ${request.worker}; add it first`;
    throw new AppError("invalid", message);
  }
  const { device_type } = request;
  const { checkDeviceText } = await import("./device-texts.ts");
  await checkDeviceText(deps, { hostname, device_type, ...textOf(request) });
  return writeDevice(deps, user, hostname, request);
}

/**
 * A new device is an administrator's to make. One that is there may be replaced by whoever may change it; moving it to another
 * worker or type needs the permission to change that as well.
 */
async function requirePutting(
  deps: Deps,
  principal: Principal,
  hostname: string,
  request: PutDevice,
): Promise<User> {
  const user = requireUser(principal);
  if (user.admin) {
    requireName(labName, hostname, "host");
    return user;
  }
  const { data } = await orForbidden(getChangeableDevice(deps, user, hostname));
  const access = await accessOf(deps, user);
  const { device_type, worker } = request;
  const moves = [
    ...(data.device_type === device_type ? [] : [deviceTypeKey(device_type)]),
    ...(data.worker === worker ? [] : [workerKey(worker)]),
  ];
  for (const key of moves) {
    const there = await deps.table.get<{ permissions?: Grants }>(key);
    if (there && mayDoTo(access, there.data, "change")) continue;
    const message = `you may not move ${hostname} to type ${device_type} on worker ${worker}: that needs the permission to change both`;
    throw new AppError("forbidden", message);
  }
  return user;
}

/** For rules that have checked it already; `conflict` when worker or type would change under a job. */
export async function writeDevice(
  deps: Deps,
  principal: User,
  hostname: string,
  request: PutDevice,
): Promise<DeviceView> {
  const { name: user } = principal;
  const { device_type, worker, tags, description, health, comment } = request;
  const device = await retrying(async () => {
    const old = await deps.table.get<DeviceRecord>(deviceKey(hostname));
    requireFreeToMove(old, request);
    const now = deps.system.now();
    const written: DeviceRecord = {
      state: "Idle",
      idle_since: new Date(now).toISOString(),
      ...(old && without(old.data, "permissions")),
      ...(await nextPermissions(deps, principal, old?.data, request.permissions)),
      hostname,
      device_type,
      worker,
      tags: [...new Set(tags)],
      description,
      health: health ?? old?.data.health ?? "Good",
    };
    const record = withMark(old?.data, withPapers(written, request), now);
    const change = { kind: "device", name: hostname, ...textOf(request), user, comment } as const;
    const text = await changeText(deps, change);
    await deps.table.transact([
      { put: deviceItem(record), when: old ? { version: old.version } : "absent" },
      ...deviceChange(deps, old?.data, record, { who: user, reason: comment }),
      ...editChange(
        deps,
        "device",
        hostname,
        [old && edited(deps, old.data), edited(deps, record)],
        {
          who: user,
          reason: comment === "" ? undefined : comment,
        },
      ),
      ...text.operations,
      ...(await keepDeviceType(deps, device_type)),
    ]);
    return record;
  });
  await deps.signals.requestPass(device_type);
  if (device.health === "Retired") await cancelCurrentJob(deps, device, user);
  return deviceView(deps, device);
}

/**
 * Sets a device's health; Retired cancels its job (SCHEDULER.md 1.2). Who did it and why goes to the operator's
 * log. Throws `not_found`.
 */
export async function setDeviceHealth(
  deps: Deps,
  principal: Principal,
  hostname: string,
  { health, reason }: { health: DeviceHealth; reason?: string | undefined },
): Promise<DeviceView> {
  const user = requireUser(principal);
  let before: DeviceHealth | undefined;
  const device = await retrying(async () => {
    const { data, version } = await getChangeableDevice(deps, user, hostname);
    before = data.health;
    const record = asked(data, { ...data, health }, deps.system.now());
    await deps.table.transact([
      { put: deviceItem(record), when: { version } },
      ...deviceChange(deps, data, record, { who: user.name, reason }),
    ]);
    return record;
  });
  deps.system.log("device health set", { hostname, before, health, reason, user: user.name });
  await deps.signals.requestPass(device.device_type);
  if (health === "Retired") await cancelCurrentJob(deps, device, user.name);
  return deviceView(deps, device);
}

/** Throws `not_found`, or `conflict` while a job has the device. Jobs keep its name, and the versions of its text stay readable. */
export async function removeDevice(
  deps: Deps,
  principal: Principal,
  hostname: string,
): Promise<void> {
  const user = requireUser(principal);
  const { removalOfPhotos } = await import("./device-photos.ts");
  const removeFiles = await retrying(async () => {
    const { data, version } = await getChangeableDevice(deps, user, hostname, "admin");
    if (data.current_job !== undefined) {
      throw new AppError(
        "conflict",
        `job ${data.current_job} has ${hostname}; cancel it or wait for its end`,
      );
    }
    const photos = await removalOfPhotos(deps, hostname);
    const operations: Operation[] = [
      { delete: deviceKey(hostname), when: { version } },
      ...removal(deps, "device", hostname, data, user),
      ...photos.operations,
      { delete: healthDueKey(hostname) },
    ];
    if (await findText(deps, "device", hostname)) {
      const text = { kind: "device", name: hostname, text: undefined, user: user.name } as const;
      operations.push(...(await changeText(deps, text)).operations);
    }
    await deps.table.transact(operations);
    return photos.removeFiles;
  });
  await removeFiles();
}

/** A person who makes a device Unknown wants a health check (SCHEDULER.md 2.1), one who makes it Good wants none that was asked for. */
function asked(before: DeviceRecord, after: DeviceRecord, now: number): DeviceRecord {
  if (after.health === "Unknown") return { ...after, check_due: "asked" };
  return withMark(before, without(after, "check_due"), now);
}

/** What somebody sets of a device beside its health and text. */
const edited = (deps: Deps, device: DeviceRecord) => ({
  ...{ device_type: device.device_type, tags: device.tags, permissions: device.permissions },
  ...aboutDevice(deps, device),
});

function textOf({ dictionary, configuration = "" }: PutDevice) {
  return dictionary === undefined
    ? ({ text: configuration, format: "configuration" } as const)
    : ({ text: dictionary, format: "dictionary" } as const);
}

function requireFreeToMove(old: Item<DeviceRecord> | undefined, request: PutDevice): void {
  if (old?.data.current_job === undefined) return;
  const { current_job, worker, device_type } = old.data;
  if (worker === request.worker && device_type === request.device_type) return;
  throw new AppError(
    "conflict",
    `job ${current_job} has the device: its worker and type can change when the job has ended`,
  );
}

async function cancelCurrentJob(
  deps: Deps,
  { current_job, hostname }: DeviceRecord,
  who: string,
): Promise<void> {
  if (current_job === undefined) return;
  await retrying(async () => {
    const item = await getJobItem(deps, current_job);
    // It may only be held for a silent worker, while the job goes on elsewhere.
    if (item.data.device !== hostname) return;
    await cancel(deps, item, { who, reason: `device ${hostname} was retired` });
  });
}
