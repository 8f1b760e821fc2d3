import type { AddedWorker, WorkerView } from "#protocol/api.ts";
import type { LabWorker } from "#protocol/lab.ts";
import { TableConflict, type Item } from "../ports/table.ts";
import { accessOf, maySeeWorker, mayDoTo } from "./access.ts";
import { AppError } from "./app-error.ts";
import { editChange, removal, workerChange, type By } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { enrolmentView } from "./enrol.ts";
import type { DeviceRecord } from "./device-record.ts";
import { findJobItem } from "./job-record.ts";
import { assignmentsKey, workerKey, workerSettingsKey } from "./keys.ts";
import { tokenKey } from "./people-keys.ts";
import { rotationView } from "./rotate-worker-token.ts";
import { requireAdmin, requireUser, type Principal, type User } from "./principal.ts";
import { namedPage, type PageRequest } from "./named-page.ts";
import { leaveWorker } from "./retry-job.ts";
import { protocolNotice } from "./protocol-window.ts";
import { retrying } from "./retrying.ts";
import { makeToken, workerTokenIds } from "./tokens.ts";
import {
  devicesOfWorker,
  deviceTypesOfWorker,
  getWorkerItem,
  noWorker,
  readAssignments,
  readWorkerSettings,
  workerItem,
  type WorkerRecord,
  type WorkerSettings,
} from "./worker-record.ts";
import { passOn } from "./worker-to-devices.ts";
import { nextPermissions, refusal, sightOf, type Sight } from "./visible.ts";
import { without } from "./without.ts";

/** Makes a worker and its token; the answer is the only place that has the token. Throws `conflict` when the name is taken. */
export async function addWorker(
  deps: Deps,
  principal: Principal,
  { name, description, job_limit }: { name: string; description: string; job_limit: number },
): Promise<AddedWorker> {
  const user = requireAdmin(principal);
  const worker: WorkerRecord = { name, description, job_limit, state: "Offline", health: "Active" };
  const { text, item } = makeToken(deps, {
    kind: "worker",
    subject: name,
    admin: false,
    description: "worker",
  });
  try {
    await deps.table.transact([
      { put: workerItem(worker), when: "absent" },
      ...workerChange(deps, undefined, worker, { who: user.name }),
      { put: item, when: "absent" },
    ]);
  } catch (error) {
    if (!(error instanceof TableConflict)) throw error;
    throw new AppError("conflict", `there is a worker ${name} already`, { cause: error });
  }
  return { name, token: text };
}

/** Workers by name, a page of them. */
export async function listWorkers(
  deps: Deps,
  principal: Principal,
  page: PageRequest = {},
): Promise<{ workers: WorkerView[]; next_cursor?: string }> {
  const sight = await sightOf(deps, principal);
  const { records, next_cursor } = await namedPage<WorkerRecord>(
    deps,
    "workers",
    ({ name }) => name,
    page,
    (worker) => maySeeWorker(sight.access, worker),
  );
  const workers = await Promise.all(records.map((record) => workerView(deps, sight, record)));
  return { workers, ...(next_cursor === undefined ? {} : { next_cursor }) };
}

/** Throws `not_found`. */
export async function getWorker(
  deps: Deps,
  principal: Principal,
  name: string,
): Promise<WorkerView> {
  const sight = await sightOf(deps, principal);
  const { data } = await getWorkerItem(deps, name);
  if (!maySeeWorker(sight.access, data)) throw noWorker(name);
  return workerView(deps, sight, data);
}

/** What an administrator set of a worker, with the texts that its jobs get. Throws `not_found`. */
export async function getWorkerSettings(
  deps: Deps,
  principal: Principal,
  name: string,
): Promise<LabWorker> {
  const { data } = await getWorkerToChange(deps, requireUser(principal), name);
  const { description, job_limit, health } = data;
  return { description, job_limit, health, ...(await readWorkerSettings(deps, name)) };
}

/**
 * Replaces what an administrator may set of a worker; its health stays when none is given. Throws `not_found`, or
 * `invalid` for texts that are not YAML.
 */
export async function putWorker(
  deps: Deps,
  principal: Principal,
  name: string,
  settings: LabWorker,
): Promise<WorkerView> {
  const user = requireUser(principal);
  const { data } = await getWorkerToChange(deps, user, name);
  await nextPermissions(deps, user, data, settings.permissions);
  const { workerTextProblems } = await import("./worker-texts.ts");
  const [first] = workerTextProblems(settings);
  if (first) throw new AppError("invalid", `${first.field}: line ${first.line}: ${first.message}`);
  const written = await writeWorker(deps, name, settings, { who: user.name });
  return workerView(deps, await sightOf(deps, user), written);
}

/**
 * A worker that whoever asks may change, or with `admin` remove and give permissions of. Throws `not_found` for one that they
 * may not even see, and `forbidden`.
 */
export async function getWorkerToChange(
  deps: Deps,
  user: User,
  name: string,
  permission: "change" | "admin" = "change",
): Promise<Item<WorkerRecord>> {
  const access = await accessOf(deps, user);
  const item = await getWorkerItem(deps, name);
  if (mayDoTo(access, item.data, permission)) return item;
  throw maySeeWorker(access, item.data) ? refusal(`worker ${name}`, permission) : noWorker(name);
}

/** For rules that have checked the texts and the rights already; its permissions stay when none are given. Throws `not_found`. */
export async function writeWorker(
  deps: Deps,
  name: string,
  { description, job_limit, health, dispatcher, env, env_dut, permissions }: LabWorker,
  by: By,
): Promise<WorkerRecord> {
  const worker = await retrying(async () => {
    const { data, version } = await getWorkerItem(deps, name);
    const granted = permissions ?? data.permissions;
    const record: WorkerRecord = {
      ...without(data, "permissions"),
      description,
      job_limit,
      health: health ?? data.health,
      ...(granted && Object.keys(granted).length > 0 ? { permissions: granted } : {}),
    };
    await passOn(deps, record, data.health, by);
    const old = await readWorkerSettings(deps, name);
    const { newVersions } = await import("./worker-texts.ts");
    const texts: WorkerSettings = { dispatcher, env, env_dut };
    await deps.table.transact([
      { put: workerItem(record), when: { version } },
      ...workerChange(deps, data, record, by),
      ...editChange(deps, "worker", name, [edited(data), edited(record)], by),
      { put: { key: workerSettingsKey(name), data: texts } },
      ...(await newVersions(deps, name, [old, texts], by)),
    ]);
    return record;
  });
  for (const type of await deviceTypesOfWorker(deps, name)) await deps.signals.requestPass(type);
  return worker;
}

/** What somebody sets of a worker, for the audit log; its texts have versions. */
const edited = ({ description, job_limit, permissions }: WorkerRecord) => ({
  description,
  job_limit,
  permissions,
});

/** Removes a worker and revokes its tokens. Throws `not_found`, or `conflict` while devices belong to it. */
export async function removeWorker(deps: Deps, principal: Principal, name: string): Promise<void> {
  const user = requireUser(principal);
  await retrying(async () => {
    const { data, version } = await getWorkerToChange(deps, user, name, "admin");
    const devices = await devicesOfWorker(deps, name);
    if (devices.length > 0) {
      const names = devices.map(({ hostname }) => hostname).slice(0, 10);
      throw new AppError(
        "conflict",
        `worker ${name} has devices (${names.join(", ")}); remove or move them first`,
      );
    }
    await leaveJobs(deps, name);
    const tokens = await workerTokenIds(deps, name);
    await deps.table.transact([
      { delete: workerKey(name), when: { version } },
      ...removal(deps, "worker", name, { state: data.state, health: data.health }, user),
      { delete: assignmentsKey(name) },
      { delete: workerSettingsKey(name) },
      ...tokens.map((id) => ({ delete: tokenKey(id) })),
    ]);
  });
  await deps.signals.ring(`worker/${name}`);
  await deps.signals.remove(`worker/${name}`);
}

/** Jobs that have left the worker must not wait for it, nor for the next one of its name. */
async function leaveJobs(deps: Deps, name: string): Promise<void> {
  for (const id of (await readAssignments(deps, name)).jobIds) {
    await retrying(async () => {
      const item = await findJobItem(deps, id);
      if (item?.data.left?.worker === name) await leaveWorker(deps, item);
    });
  }
}

/** Of its devices those are named which whoever asks may see. */
async function workerView(deps: Deps, sight: Sight, record: WorkerRecord): Promise<WorkerView> {
  const devices: DeviceRecord[] = [];
  for (const device of await devicesOfWorker(deps, record.name)) {
    if (await sight.device(device)) devices.push(device);
  }
  const { protocol, version = "", no_jobs } = record;
  const outdated = protocol === undefined ? undefined : protocolNotice(protocol, version);
  const notice = outdated ?? (no_jobs === undefined ? undefined : `gets no new jobs: ${no_jobs}`);
  return {
    ...without(
      record,
      "report",
      "silent_after",
      "attend_at",
      "enrolment",
      "no_jobs",
      "permissions",
      "rotation",
    ),
    ...enrolmentView(deps, record),
    ...rotationView(record),
    devices: devices.map(({ hostname }) => hostname),
    ...(notice === undefined ? {} : { notice }),
  };
}
