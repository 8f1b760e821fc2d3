import type { Item } from "../ports/table.ts";
import { cancel } from "./cancel.ts";
import { LAB } from "./changes.ts";
import type { ConsoleRecord } from "./console-record.ts";
import type { Deps } from "./deps.ts";
import { findJobItem } from "./job-record.ts";
import type { DueRecord, GroupRecord } from "./group-record.ts";
import { queueDeadlineKey, retentionKey, windowKey } from "./keys.ts";
import { multinodeDueKey } from "./multinode-keys.ts";
import { queryAll } from "./query-all.ts";
import type { ReservationRecord } from "./reservation-record.ts";
import { retrying } from "./retrying.ts";
import type { WindowRecord } from "./windows.ts";

/**
 * What a tick does because its time has come. One list for all of it: a tick at which nothing is due reads once, and loads little.
 * What goes wrong with one of them is logged and tried again at the next tick: the others are done all the same.
 */
export async function doDue(deps: Deps): Promise<void> {
  const range = { to: `${new Date(deps.system.now()).toISOString()}~` };
  for await (const item of queryAll(deps, "i2", "due", range)) {
    await orLater(deps, `${item.key.partition} ${item.key.sort}`, () => doOne(deps, item));
  }
}

/** Does one of several things that don't depend on each other: that it fails is logged, as whoever looks next comes to it again. */
export async function orLater(
  { system }: Deps,
  what: string,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    system.log("due work failed", { what, error: String(error) });
  }
}

async function doOne(deps: Deps, item: Item<unknown>): Promise<void> {
  const { partition } = item.key;
  if (partition === queueDeadlineKey("", 0).partition) {
    await endQueueTimeout(deps, item as Item<{ job: number }>);
  } else if (partition === windowKey("").partition) {
    const { passWindow } = await import("./windows.ts");
    await passWindow(deps, item as Item<WindowRecord>);
  } else if (partition.startsWith("reservation#")) {
    const { passReservation } = await import("./reservations.ts");
    await passReservation(deps, (item as Item<ReservationRecord>).data);
  } else if (partition.startsWith("multinode#")) {
    const { resumeGroup } = await import("./reserve-group.ts");
    await resumeGroup(deps, (item as Item<GroupRecord>).data.id);
  } else if (partition.startsWith("console#")) {
    const { upToDate } = await import("./console-ends.ts");
    await upToDate(deps, item as Item<ConsoleRecord>);
  } else if (partition === multinodeDueKey("", "").partition) {
    await settleLoaded(deps, (item as Item<DueRecord>).data.group);
  } else if (item.key.sort === retentionKey.sort) {
    const { sweepRetention } = await import("./retention/retention-step.ts");
    await sweepRetention(deps);
  }
}

/** What `settleGroup` does, loaded when there is a group. */
export async function settleLoaded(deps: Deps, group: string): Promise<void> {
  const { settleGroup } = await import("./settle-group.ts");
  await settleGroup(deps, group);
}

/** Cancels a job that waited longer than it wanted to (SCHEDULER.md 2.4). */
async function endQueueTimeout(deps: Deps, { key, data }: Item<{ job: number }>): Promise<void> {
  await retrying(async () => {
    const item = await findJobItem(deps, data.job);
    // In a restored lab it may be out of date.
    if (item?.data.state !== "Submitted") return deps.table.transact([{ delete: key }]);
    const reason = "the job waited in the queue for longer than its queue time-out";
    await cancel(deps, item, { who: LAB, reason });
  });
}
