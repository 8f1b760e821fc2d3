import type { Deps } from "../deps.ts";

/**
 * Whether there is anything for `deliverNotices` to do now. What nobody has looked at yet was announced when it came: it is found
 * here only when that was lost, and looked for with `hasLost` only.
 */
export async function hasDueNotices(deps: Deps, hasLost: boolean): Promise<boolean> {
  const range = { to: `${new Date(deps.system.now()).toISOString()}~`, limit: 1 };
  for (const list of hasLost ? ["notices-due", "deliveries-due"] : ["deliveries-due"]) {
    if ((await deps.table.query("i3", list, range)).items.length > 0) return true;
  }
  // Where nobody asks after each change, webhooks are told of them now.
  return (await deps.table.query("i1", "webhooks", { limit: 1 })).items.length > 0;
}
