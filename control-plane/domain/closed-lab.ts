import { editChange } from "./changes.ts";
import { TableConflict, type Item } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { closedKey } from "./keys.ts";
import { requireAdmin, type Principal } from "./principal.ts";

/**
 * A lab that takes nothing new: no jobs, no changes, no word of workers or of what they run; all can be read. `move`: it
 * stands still so that a copy of it is exact. `restore`: it is being filled.
 */
export interface Closed {
  why: "move" | "restore";
  user: string;
  since: string;
  /** The backup that is being restored. */
  backup?: string;
}

export const findClosed = ({ table }: Deps): Promise<Item<Closed> | undefined> =>
  table.get<Closed>(closedKey);

/** Throws `unavailable`, which every client and worker takes for "later". */
export async function requireOpen(deps: Deps): Promise<void> {
  const closed = (await findClosed(deps))?.data;
  if (closed) throw new AppError("unavailable", saying(closed));
}

/** Closes the lab for a move; again does nothing. Throws `conflict` while a backup is being restored. */
export async function closeLab(deps: Deps, principal: Principal): Promise<void> {
  const { name } = requireAdmin(principal);
  await putClosed(deps, { why: "move", user: name, since: nowOf(deps) });
  const closed = (await findClosed(deps))?.data;
  if (closed && closed.why !== "move") throw new AppError("conflict", saying(closed));
}

/** Writes the mark unless there is one. */
export async function putClosed(deps: Deps, closed: Closed): Promise<void> {
  try {
    await deps.table.transact([
      { put: { key: closedKey, data: closed }, when: "absent" },
      ...editChange(deps, "lab", "closed", [{}, { for: closed.why }], { who: closed.user }),
    ]);
  } catch (error) {
    if (!(error instanceof TableConflict)) throw error;
  }
}

export function saying({ why, user, since }: Closed): string {
  return why === "move"
    ? `the lab is closed since ${since}: ${user} moves it to another place (pumice reopen opens it again)`
    : `the lab is closed since ${since}: ${user} restores a backup into it; it opens when that is complete`;
}

export const nowOf = ({ system }: Deps): string => new Date(system.now()).toISOString();
