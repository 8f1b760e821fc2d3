import { removal } from "./changes.ts";
import { AppError } from "./app-error.ts";
import { findClosed, saying } from "./closed-lab.ts";
import type { Deps } from "./deps.ts";
import { deviceTypeNames } from "./device-types.ts";
import { closedKey } from "./keys.ts";
import { requireAdmin, type Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";
import { expectWorker } from "./settle-restored.ts";
import type { WorkerRecord } from "./worker-record.ts";

const ABREAST = 16;

/**
 * Opens a lab that was closed for a move; an open one stays as it is. Throws `conflict` for one that is being restored: half
 * of a lab does not open.
 */
export async function reopenLab(deps: Deps, principal: Principal): Promise<void> {
  const user = requireAdmin(principal);
  const closed = await findClosed(deps);
  if (!closed) return;
  if (closed.data.why !== "move") throw new AppError("conflict", saying(closed.data));
  let some: Promise<void>[] = [];
  for await (const { data } of queryAll<WorkerRecord>(deps, "i1", "workers")) {
    some.push(expectWorker(deps, data.name));
    if (some.length < ABREAST) continue;
    await Promise.all(some);
    some = [];
  }
  await Promise.all(some);
  await deps.table.transact([
    { delete: closedKey },
    ...removal(deps, "lab", "closed", { for: closed.data.why }, user),
  ]);
  for (const deviceType of await deviceTypeNames(deps)) await deps.signals.requestPass(deviceType);
}
