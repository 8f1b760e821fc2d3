import { TableConflict } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { applyKey } from "./keys.ts";

/** Who died while applying keeps others waiting for so long. */
const LEASE_MS = 60_000;
const RENEW_MS = 20_000;

interface Applying {
  id: string;
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
  const holder: Applying = { id: deps.system.id(), user };
  let heldSince = await hold(deps, holder);
  try {
    return await work(async () => {
      if (deps.system.now() - heldSince > RENEW_MS) heldSince = await hold(deps, holder);
    });
  } finally {
    await release(deps, holder);
  }
}

/** Takes or keeps the lease, and says since when. */
async function hold(deps: Deps, holder: Applying): Promise<number> {
  const now = deps.system.now();
  const item = await deps.table.get<Applying>(applyKey);
  if (item && item.data.id !== holder.id) throw takenBy(item.data.user);
  try {
    await deps.table.transact([
      {
        put: { key: applyKey, data: holder, expires: now + LEASE_MS },
        when: item ? { version: item.version } : "absent",
      },
    ]);
  } catch (error) {
    if (error instanceof TableConflict) throw takenBy("somebody else");
    throw error;
  }
  return now;
}

async function release(deps: Deps, { id }: Applying): Promise<void> {
  const item = await deps.table.get<Applying>(applyKey);
  if (item?.data.id !== id) return;
  try {
    await deps.table.transact([{ delete: applyKey, when: { version: item.version } }]);
  } catch (error) {
    // Somebody else has it by now.
    if (!(error instanceof TableConflict)) throw error;
  }
}

const takenBy = (user: string): AppError =>
  new AppError("conflict", `${user} is applying a lab just now; try again when that has ended`);
