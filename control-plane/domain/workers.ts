import type { AddedWorker, WorkerView } from "#protocol/api.ts";
import { TableConflict } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { assignmentsKey, tokenKey, workerKey } from "./keys.ts";
import { requireAdmin, requireUser, type Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";
import { retrying } from "./retrying.ts";
import { makeToken, workerTokenIds } from "./tokens.ts";
import { devicesOfWorker, getWorkerItem, workerItem, type WorkerRecord } from "./worker-record.ts";
import { without } from "./without.ts";

/** Makes a worker and its token; the answer is the only place that has the token. Throws `conflict` when the name is taken. */
export async function addWorker(
  deps: Deps,
  principal: Principal,
  { name, description, job_limit }: { name: string; description: string; job_limit: number },
): Promise<AddedWorker> {
  requireAdmin(principal);
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
      { put: item, when: "absent" },
    ]);
  } catch (error) {
    if (!(error instanceof TableConflict)) throw error;
    throw new AppError("conflict", `there is a worker ${name} already`, { cause: error });
  }
  return { name, token: text };
}

/** All workers by name. */
export async function listWorkers(
  deps: Deps,
  principal: Principal,
): Promise<{ workers: WorkerView[] }> {
  requireUser(principal);
  const workers: WorkerView[] = [];
  for await (const { data } of queryAll<WorkerRecord>(deps, "i1", "workers")) {
    workers.push(await workerView(deps, data));
  }
  return { workers };
}

/** Throws `not_found`. */
export async function getWorker(
  deps: Deps,
  principal: Principal,
  name: string,
): Promise<WorkerView> {
  requireUser(principal);
  return workerView(deps, (await getWorkerItem(deps, name)).data);
}

/** Removes a worker and revokes its tokens. Throws `not_found`, or `conflict` while devices belong to it. */
export async function removeWorker(deps: Deps, principal: Principal, name: string): Promise<void> {
  requireAdmin(principal);
  await retrying(async () => {
    const { version } = await getWorkerItem(deps, name);
    const devices = await devicesOfWorker(deps, name);
    if (devices.length > 0) {
      const names = devices.map(({ hostname }) => hostname).slice(0, 10);
      throw new AppError(
        "conflict",
        `worker ${name} has devices (${names.join(", ")}); remove or move them first`,
      );
    }
    const tokens = await workerTokenIds(deps, name);
    await deps.table.transact([
      { delete: workerKey(name), when: { version } },
      { delete: assignmentsKey(name) },
      ...tokens.map((id) => ({ delete: tokenKey(id) })),
    ]);
  });
  await deps.signals.ring(`worker/${name}`);
}

async function workerView(deps: Deps, record: WorkerRecord): Promise<WorkerView> {
  const devices = await devicesOfWorker(deps, record.name);
  return { ...without(record, "silent_after"), devices: devices.map(({ hostname }) => hostname) };
}
