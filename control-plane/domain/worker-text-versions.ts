import type { PutText, TextVersionList, WorkerTextName } from "#protocol/lab.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { textKey, workerSettingsKey } from "./keys.ts";
import { requireUser, type Principal } from "./principal.ts";
import { retrying } from "./retrying.ts";
import { changeText, getText, listVersions, type HowChanged, type TextRecord } from "./texts.ts";
import { readWorkerSettings, workerItem, type WorkerSettings } from "./worker-record.ts";
import { getWorkerToChange } from "./workers.ts";
import { without } from "./without.ts";
import { textNameOf, workerTextProblems } from "./worker-texts.ts";

/** One text of a worker as it is, or at one of its versions; version 0 is the empty one that every worker begins with. */
export async function getWorkerText(
  deps: Deps,
  principal: Principal,
  worker: string,
  field: WorkerTextName,
  version?: number,
): Promise<Pick<TextRecord, "text" | "version">> {
  await getWorkerToChange(deps, requireUser(principal), worker);
  if (version !== undefined) return getText(deps, "worker", textNameOf(worker, field), version);
  const text = (await readWorkerSettings(deps, worker))[field];
  const record = await deps.table.get<TextRecord>(textKey("worker", textNameOf(worker, field)));
  return { text, version: record?.data.version ?? 0 };
}

/** Newest first: who changed it, when and why. Texts may hold secrets, so that only who may change the worker reads them. */
export async function workerTextVersions(
  deps: Deps,
  principal: Principal,
  worker: string,
  field: WorkerTextName,
  page: { limit?: number | undefined; cursor?: string | undefined },
): Promise<TextVersionList> {
  await getWorkerToChange(deps, requireUser(principal), worker);
  const known = await deps.table.get<TextRecord>(textKey("worker", textNameOf(worker, field)));
  return known ? listVersions(deps, "worker", textNameOf(worker, field), page) : { versions: [] };
}

/**
 * Replaces one text of a worker; jobs that begin from now on get it. Throws `not_found`, `invalid` for what is not of the form,
 * `conflict` when another version is the current one.
 */
export async function putWorkerText(
  deps: Deps,
  principal: Principal,
  worker: string,
  field: WorkerTextName,
  text: string,
  how: HowChanged = {},
): Promise<PutText> {
  const user = requireUser(principal);
  return retrying(async () => {
    const { data, version } = await getWorkerToChange(deps, user, worker);
    const old = await readWorkerSettings(deps, worker);
    const settings: WorkerSettings = { ...old, [field]: text };
    const { description, job_limit } = data;
    const [problem] = workerTextProblems({ description, job_limit, ...settings });
    if (problem) {
      throw new AppError("invalid", `${problem.field}: line ${problem.line}: ${problem.message}`);
    }
    const change = {
      kind: "worker",
      name: textNameOf(worker, field),
      user: user.name,
      ...how,
    } as const;
    const { record, changed, operations } = await changeText(deps, { ...change, text });
    if (changed) {
      await deps.table.transact([
        { put: workerItem(data), when: { version } },
        { put: { key: workerSettingsKey(worker), data: settings } },
        ...operations,
      ]);
    }
    return { ...without(record, "name", "text"), changed, warnings: [] };
  });
}
