import type { DeviceView, PutDevice } from "#protocol/api.ts";
import { readDeviceConfiguration } from "#protocol/device-configuration.ts";
import type { DeviceHealth } from "#protocol/states.ts";
import type { Item, Operation } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { cancel } from "./cancel.ts";
import type { Deps } from "./deps.ts";
import { deviceItem, deviceView, getDeviceItem, type DeviceRecord } from "./device-record.ts";
import { getJobItem } from "./job-record.ts";
import { configurationKey, deviceKey, deviceTypeKey, workerKey } from "./keys.ts";
import { requireAdmin, requireUser, type Principal } from "./principal.ts";
import { retrying } from "./retrying.ts";

/** A device configuration is at most this long. */
const MAX_CONFIGURATION_BYTES = 256 * 1024;
const HOSTNAME = /^[A-Za-z0-9][\w.-]{0,199}$/;

/** A page of devices in the order of their names, 100 when `limit` is not given. */
export async function listDevices(
  deps: Deps,
  principal: Principal,
  { limit = 100, cursor }: { limit?: number | undefined; cursor?: string | undefined } = {},
): Promise<{ devices: DeviceView[]; next_cursor?: string }> {
  requireUser(principal);
  const size = Math.min(Math.max(1, limit), 500);
  // One more than asked for says whether there is a next page; the cursor is the last name.
  const page = await deps.table.query<DeviceRecord>("i1", "devices", {
    limit: size + 1,
    ...(cursor === undefined ? {} : { from: `${cursor}!` }),
  });
  const devices = page.items.slice(0, size).map(({ data }) => deviceView(data));
  const last = devices.at(-1);
  if (page.items.length <= size || !last) return { devices };
  return { devices, next_cursor: last.hostname };
}

/** Throws `not_found`. */
export async function getDevice(
  deps: Deps,
  principal: Principal,
  hostname: string,
): Promise<DeviceView> {
  requireUser(principal);
  return deviceView((await getDeviceItem(deps, hostname)).data);
}

/** The device's configuration, YAML text as it was put. Throws `not_found`. */
export async function deviceConfiguration(
  deps: Deps,
  principal: Principal,
  hostname: string,
): Promise<string> {
  requireUser(principal);
  await getDeviceItem(deps, hostname);
  return readConfiguration(deps, hostname);
}

/** For rules that have looked at the device already. */
export async function readConfiguration(deps: Deps, hostname: string): Promise<string> {
  const item = await deps.table.get<{ text: string }>(configurationKey(hostname));
  return item?.data.text ?? "";
}

/**
 * Makes or replaces a device. A new one is Good unless said otherwise, one that is replaced keeps its health; its
 * device type is made when it is new. Throws `invalid` for an unknown worker or a bad configuration, `conflict`
 * when worker or type would change under a job.
 */
export async function putDevice(
  deps: Deps,
  principal: Principal,
  hostname: string,
  request: PutDevice,
): Promise<DeviceView> {
  requireAdmin(principal);
  await check(deps, hostname, request);
  const { device_type, worker, tags, description, health, configuration } = request;
  const device = await retrying(async () => {
    const old = await deps.table.get<DeviceRecord>(deviceKey(hostname));
    requireFreeToMove(old, request);
    const record: DeviceRecord = {
      state: "Idle",
      idle_since: new Date(deps.system.now()).toISOString(),
      ...old?.data,
      hostname,
      device_type,
      worker,
      tags: [...new Set(tags)],
      description,
      health: health ?? old?.data.health ?? "Good",
    };
    const operations: Operation[] = [
      { put: deviceItem(record), when: old ? { version: old.version } : "absent" },
      { put: { key: configurationKey(hostname), data: { text: configuration } } },
    ];
    if (!(await deps.table.get(deviceTypeKey(device_type)))) operations.push(newType(device_type));
    await deps.table.transact(operations);
    return record;
  });
  await deps.signals.requestPass(device_type);
  if (device.health === "Retired") await cancelCurrentJob(deps, device);
  return deviceView(device);
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
  const user = requireAdmin(principal);
  let before: DeviceHealth | undefined;
  const device = await retrying(async () => {
    const { data, version } = await getDeviceItem(deps, hostname);
    before = data.health;
    const record: DeviceRecord = { ...data, health };
    await deps.table.transact([{ put: deviceItem(record), when: { version } }]);
    return record;
  });
  deps.system.log("device health set", { hostname, before, health, reason, user: user.name });
  await deps.signals.requestPass(device.device_type);
  if (health === "Retired") await cancelCurrentJob(deps, device);
  return deviceView(device);
}

/** Throws `not_found`, or `conflict` while a job has the device. Jobs keep its name. */
export async function removeDevice(
  deps: Deps,
  principal: Principal,
  hostname: string,
): Promise<void> {
  requireAdmin(principal);
  await retrying(async () => {
    const { data, version } = await getDeviceItem(deps, hostname);
    if (data.current_job !== undefined) {
      throw new AppError(
        "conflict",
        `job ${data.current_job} has ${hostname}; cancel it or wait for its end`,
      );
    }
    await deps.table.transact([
      { delete: deviceKey(hostname), when: { version } },
      { delete: configurationKey(hostname) },
    ]);
  });
}

async function check(deps: Deps, hostname: string, { worker, configuration }: PutDevice) {
  if (!HOSTNAME.test(hostname)) {
    throw new AppError("invalid", `${JSON.stringify(hostname)} is not a host name`);
  }
  if (!(await deps.table.get(workerKey(worker)))) {
    throw new AppError("invalid", `worker: there is no worker ${worker}; add it first`);
  }
  if (new TextEncoder().encode(configuration).length > MAX_CONFIGURATION_BYTES) {
    throw new AppError(
      "too_large",
      `configuration: at most ${MAX_CONFIGURATION_BYTES} bytes are possible`,
    );
  }
  const read = readDeviceConfiguration(configuration);
  if (read.configuration && read.problems.length === 0) return;
  const [first] = read.problems;
  const what = first ? `line ${first.line}: ${first.path} ${first.message}` : "it is empty";
  throw new AppError("invalid", `configuration: ${what}`, { problems: read.problems });
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

const newType = (name: string): Operation => ({
  put: {
    key: deviceTypeKey(name),
    data: { name },
    keys: { i1: { partition: "device-types", sort: name } },
  },
});

async function cancelCurrentJob(deps: Deps, { current_job, hostname }: DeviceRecord) {
  if (current_job === undefined) return;
  await retrying(async () => {
    await cancel(deps, await getJobItem(deps, current_job), `device ${hostname} was retired`);
  });
}
