import { labName } from "#protocol/lab.ts";
import type { MaintenanceWindow, WindowView } from "#protocol/windows.ts";
import type { Item, NewItem } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { changeItem } from "./changes.ts";
import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import { deviceTypeNames } from "./device-types.ts";
import { deviceKey, deviceTypeKey, dueKey, windowKey, workerKey } from "./keys.ts";
import { requireAdmin, requireReader, type Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";
import { requireName } from "./require-name.ts";
import { retrying } from "./retrying.ts";
import { nextSpan, type Span } from "./window-times.ts";
import { deviceTypesOfWorker } from "./worker-record.ts";
import { without } from "./without.ts";

/** A maintenance window in the table. */
export interface WindowRecord extends MaintenanceWindow {
  name: string;
  /** When its present or next time ends: the tick asks for passes then. Absent once it is over. */
  due?: string;
}

/** More would make every pass slow. */
const MOST_WINDOWS = 500;

export const windowItem = (data: WindowRecord): NewItem => ({
  key: windowKey(data.name),
  data,
  ...(data.due === undefined ? {} : { keys: { i2: dueKey(data.due, data.name) } }),
});

/** A window with the time of it that is now or next. */
export interface ComingWindow extends Span {
  readonly window: WindowRecord;
}

/** Windows that are not over. */
export async function comingWindows(deps: Deps, now: number): Promise<ComingWindow[]> {
  const coming: ComingWindow[] = [];
  for await (const window of readWindows(deps)) {
    const span = nextSpan(window, now);
    if (span) coming.push({ window, ...span });
  }
  return coming;
}

/** By name. */
export async function* readWindows(deps: Deps): AsyncGenerator<WindowRecord> {
  const { partition } = windowKey("");
  for await (const { data } of queryAll<WindowRecord>(deps, "main", partition, { limit: 1000 })) {
    yield data;
  }
}

/** All windows by name, also those that are over. */
export async function listWindows(
  deps: Deps,
  principal: Principal,
): Promise<{ windows: WindowView[] }> {
  requireReader(principal);
  const windows: WindowView[] = [];
  for await (const window of readWindows(deps)) windows.push(viewOf(deps, window));
  return { windows };
}

/** Makes or replaces one. Throws `invalid` when it is of something that is not there, `conflict` when there are too many. */
export async function putWindow(
  deps: Deps,
  principal: Principal,
  name: string,
  window: MaintenanceWindow,
  reason?: string,
): Promise<WindowView> {
  const user = requireAdmin(principal);
  requireName(labName, name, "maintenance window");
  await requirePlace(deps, window);
  const span = nextSpan(window, deps.system.now());
  const record: WindowRecord = {
    name,
    ...window,
    ...(span ? { due: new Date(span.end).toISOString() } : {}),
  };
  const before = await retrying(async () => {
    const item = await deps.table.get<WindowRecord>(windowKey(name));
    if (!item) await requireRoom(deps);
    await deps.table.transact([
      { put: windowItem(record), when: item ? { version: item.version } : "absent" },
      {
        put: windowChange(deps, name, item?.data, record, { who: user.name, reason }),
        when: "absent",
      },
    ]);
    return item?.data;
  });
  // Where it was, jobs may begin again.
  if (before) await askForPasses(deps, before);
  return viewOf(deps, record);
}

/** Throws `not_found`. */
export async function removeWindow(
  deps: Deps,
  principal: Principal,
  name: string,
  reason?: string,
): Promise<void> {
  const user = requireAdmin(principal);
  const before = await retrying(async () => {
    const item: Item<WindowRecord> | undefined = await deps.table.get(windowKey(name));
    if (!item) {
      throw new AppError("not_found", `there is no maintenance window ${JSON.stringify(name)}`);
    }
    const { data, version } = item;
    await deps.table.transact([
      { delete: windowKey(name), when: { version } },
      {
        put: windowChange(deps, name, data, undefined, { who: user.name, reason }),
        when: "absent",
      },
    ]);
    return data;
  });
  await askForPasses(deps, before);
}

/** What the tick does where the time of a window has ended: jobs may begin again; a weekly one waits for its next time. */
export async function passWindow(deps: Deps, { data, version }: Item<WindowRecord>): Promise<void> {
  const span = nextSpan(data, deps.system.now());
  const next: WindowRecord = {
    ...without(data, "due"),
    ...(span ? { due: new Date(span.end).toISOString() } : {}),
  };
  // First: should we end in between, the next tick asks again.
  await askForPasses(deps, data);
  await retrying(async () => {
    const item = await deps.table.get<WindowRecord>(windowKey(data.name));
    if (item?.version !== version) return;
    await deps.table.transact([{ put: windowItem(next), when: { version } }]);
  });
}

async function askForPasses(
  deps: Deps,
  { device, device_type, worker }: WindowRecord,
): Promise<void> {
  const types = new Set<string>(device_type === undefined ? [] : [device_type]);
  if (device !== undefined) {
    const item = await deps.table.get<DeviceRecord>(deviceKey(device));
    if (item) types.add(item.data.device_type);
  } else if (worker !== undefined) {
    for (const type of await deviceTypesOfWorker(deps, worker)) types.add(type);
  } else if (device_type === undefined) {
    for (const type of await deviceTypeNames(deps)) types.add(type);
  }
  for (const type of types) await deps.signals.requestPass(type);
}

async function requirePlace(
  { table }: Deps,
  { device, device_type, worker }: MaintenanceWindow,
): Promise<void> {
  const places = [
    ["device", device, deviceKey],
    ["device type", device_type, deviceTypeKey],
    ["worker", worker, workerKey],
  ] as const;
  for (const [what, name, keyOf] of places) {
    if (name === undefined || (await table.get(keyOf(name)))) continue;
    throw new AppError("invalid", `there is no ${what} ${JSON.stringify(name)}`);
  }
}

async function requireRoom(deps: Deps): Promise<void> {
  const { items } = await deps.table.query("main", windowKey("").partition, {
    limit: MOST_WINDOWS,
  });
  if (items.length < MOST_WINDOWS) return;
  const message = `a lab has at most ${MOST_WINDOWS} maintenance windows: remove those that are over`;
  throw new AppError("conflict", message);
}

function windowChange(
  deps: Deps,
  name: string,
  before: WindowRecord | undefined,
  after: WindowRecord | undefined,
  by: { who: string; reason?: string | undefined },
): NewItem {
  const text = (window: WindowRecord | undefined): string | null =>
    window ? JSON.stringify(without(window, "name", "due")) : null;
  const changed = { [name]: [text(before), text(after)] satisfies [string | null, string | null] };
  const told = changed as Record<string, [string | null, string | null]>;
  return changeItem(deps, { kind: "lab", name: "windows", changed: told, ...by });
}

function viewOf({ system }: Deps, window: WindowRecord): WindowView {
  const span = nextSpan(window, system.now());
  const next = span && {
    from: new Date(span.start).toISOString(),
    to: new Date(span.end).toISOString(),
  };
  return { ...without(window, "due"), ...(next ? { next } : {}) };
}
