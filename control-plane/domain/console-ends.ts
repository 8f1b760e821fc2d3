import type { ConsoleView } from "#protocol/consoles.ts";
import type { Item, Operation } from "../ports/table.ts";
import { changeItem, LAB } from "./changes.ts";
import {
  consoleItem,
  getConsoleItem,
  lastPiece,
  readConsolesOfWorker,
  type ConsoleRecord,
  type InputPiece,
} from "./console-record.ts";
import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import { findJobItem } from "./job-record.ts";
import { consoleInputKey, consoleOfDeviceKey, consolesOfWorkerKey, deviceKey } from "./keys.ts";
import { labSettings } from "./lab-settings.ts";
import { holderOf } from "./reservation-record.ts";
import { retrying } from "./retrying.ts";

/** A worker that has not opened a connection by then does not know how, or is away. */
const START_MS = 60_000;

/** What has become of a session: it is over, for a reason, or goes on until the end of its reservation as that is now. */
type Course = { over: string } | { until: string; idleEnds: string; activeAt: number };

/**
 * The session as it is now, for people. One that is over and not noted as such is ended first; one whose reservation was made
 * longer is longer too.
 */
export async function upToDate(deps: Deps, item: Item<ConsoleRecord>): Promise<ConsoleRecord> {
  return (await followed(deps, item)).session;
}

/** The same, with the time of what was typed last (or of its begin), milliseconds. */
export async function upToDateWith(
  deps: Deps,
  item: Item<ConsoleRecord>,
): Promise<{ session: ConsoleRecord; activeAt: number }> {
  const { session, activeAt = 0 } = await followed(deps, item);
  return { session, activeAt };
}

/** The same, as it is shown. */
export async function shownAs(deps: Deps, item: Item<ConsoleRecord>): Promise<ConsoleView> {
  const { session, idleEnds } = await followed(deps, item);
  const { writer: _writer, ...view } = session;
  return { ...view, ...(idleEnds === undefined ? {} : { idle_ends: idleEnds }) };
}

/** Looks at the session of a device at once, as what it depends on has changed; without one does nothing. */
export async function settleConsoleOf(deps: Deps, hostname: string): Promise<void> {
  const pointer = await deps.table.get<{ id: string }>(consoleOfDeviceKey(hostname));
  if (pointer) await upToDate(deps, await getConsoleItem(deps, pointer.data.id));
}

async function followed(
  deps: Deps,
  item: Item<ConsoleRecord>,
): Promise<{ session: ConsoleRecord; idleEnds?: string; activeAt?: number }> {
  const { data } = item;
  if (data.state === "ended") return { session: data };
  const course = await courseOf(deps, data);
  // An archive is only read.
  const { archive } = deps.settings;
  if ("over" in course) {
    if (archive) return { session: { ...data, state: "ended", reason: course.over } };
    await settleConsole(deps, data.id, { who: LAB, reason: course.over });
    return { session: (await getConsoleItem(deps, data.id)).data };
  }
  const { until, idleEnds, activeAt } = course;
  if (until !== data.until && !archive) await prolong(deps, data.id, until);
  return { session: { ...data, until }, idleEnds, activeAt };
}

/** Why a session is over, be it noted or not; undefined while it is to go on. */
export async function whyOver(deps: Deps, session: ConsoleRecord): Promise<string | undefined> {
  if (session.state === "ended") return session.reason ?? "it was ended";
  const course = await courseOf(deps, session);
  return "over" in course ? course.over : undefined;
}

async function courseOf(deps: Deps, session: ConsoleRecord): Promise<Course> {
  const now = deps.system.now();
  const device = (await deps.table.get<DeviceRecord>(deviceKey(session.device)))?.data;
  if (!device) return { over: "the device is gone" };
  if (device.worker !== session.worker)
    return { over: `the device is at worker ${device.worker} now` };
  const hold =
    session.job === undefined
      ? untilReserved(device, session, now)
      : await untilJobEnds(deps, device, session, session.job);
  if ("over" in hold) return hold;
  const begun = Date.parse(session.created);
  if (session.state === "starting" && now - begun > START_MS) {
    const over = `worker ${session.worker} has not opened the connection within 60 s: is it online, and does it know consoles?`;
    return { over };
  }
  const { idle_minutes: minutes } = (await labSettings(deps)).consoles;
  const last = await lastPiece<InputPiece>(deps, consoleInputKey, session.id);
  const activeAt = Math.max(begun, last ? Date.parse(last.time) : 0);
  const idleEnds = activeAt + minutes * 60_000;
  if (now > idleEnds) return { over: `nobody has typed anything for ${minutes} minutes` };
  return { until: hold.until, idleEnds: new Date(idleEnds).toISOString(), activeAt };
}

type Hold = { over: string } | { until: string };

function untilReserved(device: DeviceRecord, { holder }: ConsoleRecord, now: number): Hold {
  const held = holderOf(device, now);
  if (held?.holder !== holder || held.until === undefined) {
    return { over: `the reservation of ${holder} is over` };
  }
  if (device.current_job !== undefined) return { over: `job ${device.current_job} has the device` };
  return { until: held.until };
}

/** A session in a job's pause lasts as long as the job has the device, and no longer than it was opened for. */
async function untilJobEnds(
  deps: Deps,
  device: DeviceRecord,
  { until }: ConsoleRecord,
  job: number,
): Promise<Hold> {
  if (device.current_job !== job) return { over: `job ${job} is over` };
  const state = (await findJobItem(deps, job))?.data.state;
  if (state !== "Running") return { over: `job ${job} is ${state ?? "gone"}` };
  if (Date.parse(until) <= deps.system.now()) return { over: "its time is over" };
  return { until };
}

async function prolong(deps: Deps, id: string, until: string): Promise<void> {
  await retrying(async () => {
    const { data, version } = await getConsoleItem(deps, id);
    if (data.state === "ended" || data.until === until) return;
    await deps.table.transact([{ put: consoleItem({ ...data, until }), when: { version } }]);
  });
}

/** Writes that a session is over; again does nothing. */
export async function settleConsole(
  deps: Deps,
  id: string,
  { who, reason }: { who: string; reason: string },
): Promise<void> {
  const ended = await retrying(async () => {
    const item = await getConsoleItem(deps, id);
    if (item.data.state === "ended") return undefined;
    const now = new Date(deps.system.now()).toISOString();
    const session: ConsoleRecord = { ...item.data, state: "ended", ended: now, reason };
    const list = await readConsolesOfWorker(deps, session.worker);
    await deps.table.transact([
      { put: consoleItem(session), when: { version: item.version } },
      ...(list ? [replaceList(session, list, (ids) => ids.filter((one) => one !== id))] : []),
      {
        put: changeItem(deps, {
          ...{ who, reason, kind: "device", name: session.device },
          changed: { console: [id, null] },
        }),
        when: "absent",
      },
    ]);
    return session;
  });
  if (!ended) return;
  await deps.signals.ring(`console/${id}`);
  await deps.signals.ring(`worker/${ended.worker}`);
}

/** Writes which sessions a worker is to serve. */
export function replaceList(
  { worker }: ConsoleRecord,
  list: Item<{ ids: string[] }> | undefined,
  change: (ids: string[]) => string[],
): Operation {
  const ids = change(list?.data.ids ?? []);
  return {
    put: { key: consolesOfWorkerKey(worker), data: { ids } },
    when: list ? { version: list.version } : "absent",
  };
}
