import { TableConflict } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { changeItem, LAB, workerChange } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { workerKey } from "./keys.ts";
import type { User } from "./principal.ts";
import { makeToken, workerTokenIds } from "./tokens.ts";
import { workerItem, type WorkerRecord } from "./worker-record.ts";

/** Tokens that a worker has at most by registering again. */
const MOST_TOKENS = 50;

/**
 * A stock worker makes itself known (API.md 1.2) and gets its token, which is told this once. By an administrator's name, also
 * one that is known already: it gets another token, as those before are stored as hashes only. Throws `forbidden` with
 * LAVA's words for a worker that is known.
 */
export async function registerStock(
  deps: Deps,
  { name, address, user }: { name: string; address: string; user?: User | undefined },
): Promise<string> {
  const known = await deps.table.get<WorkerRecord>(workerKey(name));
  if (known && !user) throw registered(name);
  const who = user?.name ?? LAB;
  const reason = `lava-worker registered itself from ${address}`;
  const { text, item } = makeToken(deps, {
    kind: "worker",
    subject: name,
    admin: false,
    description: reason,
  });
  if (known) {
    if ((await workerTokenIds(deps, name)).length >= MOST_TOKENS) {
      throw new AppError("forbidden", `worker ${name} has too many tokens: revoke some of them`);
    }
    const id = item.key.partition.replace("token#", "");
    const changed: Record<string, [null, string]> = { worker: [null, name] };
    const change = changeItem(deps, { who, reason, kind: "token", name: id, changed });
    await deps.table.transact([
      { put: item, when: "absent" },
      { put: change, when: "absent" },
    ]);
    return text;
  }
  const worker: WorkerRecord = {
    ...{ name, description: "", job_limit: 0, kind: "stock", state: "Offline", health: "Active" },
  };
  try {
    await deps.table.transact([
      { put: workerItem(worker), when: "absent" },
      ...workerChange(deps, undefined, worker, { who, reason }),
      { put: item, when: "absent" },
    ]);
  } catch (error) {
    if (error instanceof TableConflict) throw registered(name);
    throw error;
  }
  return text;
}

const registered = (name: string): AppError =>
  new AppError("forbidden", `Worker '${name}' already registered`);
