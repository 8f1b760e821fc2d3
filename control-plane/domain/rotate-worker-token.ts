import type { RotationRequest } from "#protocol/worker-api.ts";
import type { Operation } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { changeItem } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { tokenKey } from "./people-keys.ts";
import { requireAdmin, requireWorker, type Principal } from "./principal.ts";
import { retrying } from "./retrying.ts";
import { newTokenItem, tokenItem, workerTokenIds, type TokenRecord } from "./tokens.ts";
import { getWorkerItem, workerItem, type WorkerRecord } from "./worker-record.ts";
import { without } from "./without.ts";

/** Room in one transaction. */
const MOST_TOKENS = 45;

/**
 * Asks a worker to make itself another token, which it is told by its next sync; those before are good for the overlap after it
 * has. Asked again, the last request counts. Throws `conflict` for LAVA's own, which can't.
 */
export async function askRotation(
  deps: Deps,
  principal: Principal,
  name: string,
  overlap_seconds: number,
): Promise<void> {
  const { name: user } = requireAdmin(principal);
  const asked = new Date(deps.system.now()).toISOString();
  const rotation = { id: deps.system.id(), overlap_seconds, user, asked };
  await retrying(async () => {
    const { data, version } = await getWorkerItem(deps, name);
    if (data.kind === "stock") {
      const how =
        "remove its file `token` and start it with --username once (docs/stock-workers.md)";
      throw new AppError("conflict", `${name} is a stock lava-worker: ${how}`);
    }
    const changed: Record<string, [null, string]> = { "token rotation": [null, "asked for"] };
    const change = changeItem(deps, { who: user, kind: "worker", name, changed });
    await deps.table.transact([
      { put: workerItem({ ...data, rotation }), when: { version } },
      { put: change, when: "absent" },
    ]);
  });
  await deps.signals.ring(`worker/${name}`);
}

/**
 * Makes valid the token that a worker has made itself, as it was asked to. The same request may come again. Throws `conflict`
 * when nobody asks for it (any more).
 */
export async function takeRotation(
  deps: Deps,
  principal: Principal,
  { rotation: id, token_id, token_hash }: RotationRequest,
): Promise<void> {
  const { name } = requireWorker(principal);
  await retrying(async () => {
    const item = await getWorkerItem(deps, name);
    const known = await deps.table.get<TokenRecord>(tokenKey(token_id));
    // A lost answer: the worker asks again for what it has.
    if (known?.data.hash === token_hash && known.data.subject === name) return;
    const { rotation, ...worker } = item.data;
    if (rotation?.id !== id) {
      throw new AppError("conflict", "nobody asks this worker for another token (any more)");
    }
    const token = { kind: "worker", subject: name, admin: false } as const;
    const description = `in the place of another, for ${rotation.user}`;
    const now = deps.system.now();
    const put = newTokenItem(token_id, { ...token, description }, token_hash, now);
    const changed: Record<string, [null, string]> = { worker: [null, name] };
    const change = { who: name, kind: "token", name: token_id, changed } as const;
    await deps.table.transact([
      { put: workerItem(worker), when: { version: item.version } },
      { put, when: "absent" },
      { put: changeItem(deps, { ...change, reason: description }), when: "absent" },
      ...(await endingOthers(deps, name, token_id, now + rotation.overlap_seconds * 1000)),
    ]);
  });
}

/** What people see of it. */
export const rotationView = ({ rotation }: WorkerRecord): { token_rotation_asked?: string } =>
  rotation ? { token_rotation_asked: rotation.asked } : {};

/** Every other token of the worker ends then, if it does not end before. */
async function endingOthers(
  deps: Deps,
  worker: string,
  except: string,
  end: number,
): Promise<Operation[]> {
  const operations: Operation[] = [];
  for (const id of (await workerTokenIds(deps, worker)).slice(0, MOST_TOKENS)) {
    const item = id === except ? undefined : await deps.table.get<TokenRecord>(tokenKey(id));
    if (!item) continue;
    const { expires } = item.data;
    if (expires !== undefined && Date.parse(expires) <= end) continue;
    const ends = { ...without(item.data, "expires"), expires: new Date(end).toISOString() };
    operations.push(
      end <= deps.system.now()
        ? { delete: item.key, when: { version: item.version } }
        : { put: tokenItem(ends), when: { version: item.version } },
    );
  }
  return operations;
}
