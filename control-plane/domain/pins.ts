import { editChange, type By } from "./changes.ts";
import type { WorkerView } from "#protocol/api.ts";
import type { Deps } from "./deps.ts";
import { requireAdmin, type Principal } from "./principal.ts";
import { requireOfferable } from "./releases.ts";
import { retrying } from "./retrying.ts";
import { without } from "./without.ts";
import { getWorkerItem, workerItem, type WorkerRecord } from "./worker-record.ts";
import { getWorker } from "./workers.ts";

/**
 * Makes a worker change to this version, be it an older one, and stay with it whatever is rolled out; again tries again what
 * failed. Throws `not_found`, `conflict` when the release can't be offered and the worker does not have the version already.
 */
export async function pinWorker(
  deps: Deps,
  principal: Principal,
  name: string,
  { version }: { version: string },
): Promise<WorkerView> {
  const { name: who } = requireAdmin(principal);
  await write(deps, name, { who }, async (before) => {
    if (before.version !== version) await requireOfferable(deps, version);
    return { ...before, pin: { id: deps.system.id(), version } };
  });
  return getWorker(deps, principal, name);
}

/** Lets a worker take part in roll-outs again; it keeps the version that it has. Throws `not_found`. */
export async function unpinWorker(
  deps: Deps,
  principal: Principal,
  name: string,
): Promise<WorkerView> {
  const { name: who } = requireAdmin(principal);
  await write(deps, name, { who }, async (before) => without(before, "pin"));
  return getWorker(deps, principal, name);
}

async function write(
  deps: Deps,
  name: string,
  by: By,
  decide: (before: WorkerRecord) => Promise<WorkerRecord>,
): Promise<void> {
  await retrying(async () => {
    const { data, version } = await getWorkerItem(deps, name);
    const worker = await decide(data);
    const pins = [{ pin: data.pin?.version }, { pin: worker.pin?.version }] as const;
    await deps.table.transact([
      { put: workerItem(worker), when: { version } },
      ...editChange(deps, "worker", name, pins, by),
    ]);
  });
  await deps.signals.ring(`worker/${name}`);
}
