import type { Deps } from "../deps.ts";

/** The lists of what is to be looked at and to be sent. */
const DUE_LISTS = ["notices-due", "deliveries-due"];

/** Whether there is anything for `deliverNotices` to do now. */
export async function hasDueNotices(deps: Deps): Promise<boolean> {
  const range = { to: `${new Date(deps.system.now()).toISOString()}~`, limit: 1 };
  for (const list of DUE_LISTS) {
    if ((await deps.table.query("i3", list, range)).items.length > 0) return true;
  }
  // Where nobody asks after each change, webhooks are told of them now.
  return (await deps.table.query("i1", "webhooks", { limit: 1 })).items.length > 0;
}
