import type { Kept } from "#protocol/retention.ts";
import { AppError } from "../app-error.ts";
import { changeItem } from "../changes.ts";
import type { Deps } from "../deps.ts";
import { keptKey } from "../keys.ts";
import { requireUser, type Principal } from "../principal.ts";
import { retrying } from "../retrying.ts";
import { getVisibleJob } from "../visible.ts";

const MOST_KEEPERS = 100;

/** Who keeps a job (LAVA's favourites): rules of retention leave it alone. Throws `not_found`. */
export async function whoKeeps(deps: Deps, principal: Principal, id: number): Promise<Kept> {
  await getVisibleJob(deps, principal, id);
  return readKept(deps, id);
}

/** Keeps a job, or lets go of it, for whoever asks; everybody who may see it may. Throws `not_found`. */
export async function keepJob(
  deps: Deps,
  principal: Principal,
  id: number,
  isKept: boolean,
): Promise<Kept> {
  const { name: who } = requireUser(principal);
  await getVisibleJob(deps, principal, id);
  return retrying(async () => {
    const key = keptKey(id);
    const item = await deps.table.get<Kept>(key);
    const others = (item?.data.by ?? []).filter((name) => name !== who);
    const by = isKept ? [...others, who] : others;
    if (by.length === (item?.data.by.length ?? 0)) return { by };
    if (by.length > MOST_KEEPERS) {
      throw new AppError("conflict", `${MOST_KEEPERS} people keep job ${id} already`);
    }
    const when = item ? { version: item.version } : "absent";
    const changed = { kept: isKept ? [null, who] : [who, null] } satisfies Record<
      string,
      [string | null, string | null]
    >;
    await deps.table.transact([
      { put: { key, data: { by } }, when },
      { put: changeItem(deps, { kind: "job", name: String(id), changed, who }), when: "absent" },
    ]);
    return { by };
  });
}

/** For who may know already. */
export async function readKept({ table }: Pick<Deps, "table">, id: number): Promise<Kept> {
  return (await table.get<Kept>(keptKey(id)))?.data ?? { by: [] };
}
