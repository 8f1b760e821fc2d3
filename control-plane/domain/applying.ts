import { TableConflict } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { applyKey } from "./keys.ts";

/** Who died while applying keeps others waiting for so long. */
const LEASE_MS = 60_000;
const RENEW_MS = 20_000;

interface Applying {
  user: string;
}

/**
 * Runs `work` while nobody else applies a lab. It is to await `stillHeld` before each step that it takes. Throws
 * `conflict` when somebody else is at it, or took over because we were silent for too long.
 */
export async function holdApplying<T>(
  deps: Deps,
  user: string,
  work: (stillHeld: () => Promise<void>) => Promise<T>,
): Promise<T> {
  let heldSince = deps.system.now();
  let version = 0;
  const take = async () => {
    const now = deps.system.now();
    const data: Applying = { user };
    const when = version === 0 ? ("absent" as const) : { version };
    try {
      await deps.table.transact([{ put: { key: applyKey, data, expires: now + LEASE_MS }, when }]);
    } catch (error) {
      if (!(error instanceof TableConflict)) throw error;
      const other = (await deps.table.get<Applying>(applyKey))?.data.user ?? "somebody";
      const message = `${other} is applying a lab just now; try again when that has ended`;
      throw new AppError("conflict", message, { cause: error });
    }
    version += 1;
    heldSince = now;
  };

  await take();
  try {
    return await work(async () => {
      if (deps.system.now() - heldSince > RENEW_MS) await take();
    });
  } finally {
    await giveBack(deps, version);
  }
}

async function giveBack(deps: Deps, version: number): Promise<void> {
  try {
    await deps.table.transact([{ delete: applyKey, when: { version } }]);
  } catch (error) {
    // Somebody else has it by now.
    if (!(error instanceof TableConflict)) throw error;
  }
}
