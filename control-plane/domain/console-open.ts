import type { OpenConsole } from "#protocol/console-requests.ts";
import type { OpenedConsole } from "#protocol/consoles.ts";
import { MAX_CONSOLES_OF_WORKER } from "#protocol/consoles.ts";
import type { Item, Operation } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { changeItem } from "./changes.ts";
import { requireUse } from "./console-access.ts";
import { replaceList, shownAs, upToDate } from "./console-ends.ts";
import {
  consoleItem,
  getConsoleItem,
  readConsolesOfWorker,
  type ConsoleRecord,
} from "./console-record.ts";
import type { Deps } from "./deps.ts";
import { getDeviceItem, type DeviceRecord } from "./device-record.ts";
import { findJobItem, type JobRecord } from "./job-record.ts";
import { consoleOfDeviceKey, workerKey } from "./keys.ts";
import { requireUser, type Principal, type User } from "./principal.ts";
import { activeReservation } from "./reservations.ts";
import { retrying } from "./retrying.ts";
import { getChangeableJob, getVisibleDevice, sightOf } from "./visible.ts";
import type { WorkerRecord } from "./worker-record.ts";

/** A session in a job's pause has no reservation that ends it. */
const LONGEST_IN_JOB_MS = 24 * 60 * 60 * 1000;

/** What a console is opened of: a device that is reserved, or a job's device while the job waits for a person. */
interface Wanted {
  readonly device: DeviceRecord;
  readonly job?: number;
  readonly until: string;
}

/**
 * Opens the console of a device that whoever asks has reserved, and may submit to or change; or that of a job that they may change,
 * while it waits for a person. Their session that is open already is gone on with: this window types from now on. Throws
 * `not_found`, `forbidden`, and `conflict` without a reservation, while a job has the device that waits for nobody, while somebody
 * else has the console, or when the worker serves as many as it may.
 */
export async function openConsole(
  deps: Deps,
  principal: Principal,
  request: OpenConsole,
): Promise<OpenedConsole> {
  const user = requireUser(principal);
  const opened = await retrying(async () => {
    const wanted = await wantedBy(deps, user, request);
    const { hostname } = wanted.device;
    const pointer = await deps.table.get<{ id: string }>(consoleOfDeviceKey(hostname));
    const before = pointer && (await getConsoleItem(deps, pointer.data.id));
    const last = before && (await upToDate(deps, before));
    const isOff = request.off_at_end;
    if (!before || !last || last.state === "ended") {
      return begin(deps, user, { ...wanted, isOff }, pointer);
    }
    if (last.holder !== user.name) {
      const message = `${last.holder} has the console of ${hostname}; whoever may change it ends that session: ${last.id}`;
      throw new AppError("conflict", message);
    }
    const { data, version } = await getConsoleItem(deps, last.id);
    const session: ConsoleRecord = { ...data, writer: deps.system.id(), ...offAtEnd(isOff) };
    await deps.table.transact([
      { put: consoleItem(session), when: { version } },
      opening(deps, session, "another window types"),
    ]);
    return session;
  });
  await Promise.all([
    deps.signals.ring(`worker/${opened.worker}`),
    deps.signals.ring(`console/${opened.id}`),
  ]);
  const view = await shownAs(deps, await getConsoleItem(deps, opened.id));
  return { ...view, writer: opened.writer };
}

async function begin(
  deps: Deps,
  { name: holder }: User,
  { device, job, until, isOff }: Wanted & { isOff: boolean },
  pointer: Item<unknown> | undefined,
): Promise<ConsoleRecord> {
  const session: ConsoleRecord = {
    ...{ id: deps.system.id(), device: device.hostname, worker: device.worker, holder },
    ...{ state: "starting", created: new Date(deps.system.now()).toISOString() },
    ...{ until, writer: deps.system.id() },
    ...(job === undefined ? {} : { job }),
    ...offAtEnd(isOff),
  };
  await deps.table.transact([
    { put: consoleItem(session), when: "absent" },
    {
      put: { key: consoleOfDeviceKey(device.hostname), data: { id: session.id } },
      when: pointer ? { version: pointer.version } : "absent",
    },
    await addToWorker(deps, session),
    opening(deps, session, job === undefined ? "console opened" : `console of job ${job} opened`),
  ]);
  return session;
}

/** Once asked for it stays, whichever window types. */
const offAtEnd = (isOff: boolean) => (isOff ? { off_at_end: true as const } : {});

async function wantedBy(deps: Deps, user: User, request: OpenConsole): Promise<Wanted> {
  if (request.job !== undefined) {
    const job = await getChangeableJob(deps, user, request.job, "taken over at its console");
    return pausedJob(deps, job.data);
  }
  const { device: hostname = "" } = request;
  const device = (await getVisibleDevice(deps, user, hostname)).data;
  const job = device.current_job;
  const running = job === undefined ? undefined : (await findJobItem(deps, job))?.data;
  if (running?.waits_for_person && (await (await sightOf(deps, user)).changesJob(running))) {
    return pausedJob(deps, running);
  }
  await requireUse(deps, user, { device });
  const worker = await deps.table.get<WorkerRecord>(workerKey(device.worker));
  if (worker?.data.kind === "stock") {
    const message = `${hostname} belongs to ${device.worker}, a stock lava-worker, which has no consoles: move it to a worker of ours`;
    throw new AppError("conflict", message);
  }
  return { device, until: await reservedUntil(deps, user, device) };
}

async function pausedJob(deps: Deps, job: JobRecord): Promise<Wanted> {
  const { id, state, device } = job;
  if (state === "Running" && job.waits_for_person && device !== undefined) {
    const until = new Date(deps.system.now() + LONGEST_IN_JOB_MS).toISOString();
    return { device: (await getDeviceItem(deps, device)).data, job: id, until };
  }
  const what = state === "Running" ? "waits for nobody now" : `is ${state}`;
  const message = `job ${id} ${what}: its console is open while a step of its interactive test only waits (docs/remote-console.md)`;
  throw new AppError("conflict", message);
}

async function reservedUntil(deps: Deps, user: User, device: DeviceRecord): Promise<string> {
  const { hostname, current_job: job } = device;
  const reservation = await activeReservation(deps, hostname);
  if (reservation?.holder !== user.name || reservation.until === undefined) {
    const whose = reservation ? `it is reserved by ${reservation.holder}` : "nobody has it";
    const message = `the console of ${hostname} needs your reservation (pumice reserve ${hostname} --for 1h); ${whose}`;
    throw new AppError("conflict", message);
  }
  if (job === undefined) return reservation.until;
  throw new AppError("conflict", `job ${job} runs on ${hostname}: wait for its end, or cancel it`);
}

async function addToWorker(deps: Deps, session: ConsoleRecord): Promise<Operation> {
  const list = await readConsolesOfWorker(deps, session.worker);
  if ((list?.data.ids.length ?? 0) >= MAX_CONSOLES_OF_WORKER) {
    const message = `worker ${session.worker} serves ${MAX_CONSOLES_OF_WORKER} consoles, as many as it may: end one first`;
    throw new AppError("conflict", message);
  }
  return replaceList(session, list, (ids) => [...ids, session.id]);
}

const opening = (deps: Deps, { id, device, holder }: ConsoleRecord, reason: string): Operation => ({
  put: changeItem(deps, {
    ...{ who: holder, reason, kind: "device", name: device },
    changed: { console: [null, id] },
  }),
  when: "absent",
});
