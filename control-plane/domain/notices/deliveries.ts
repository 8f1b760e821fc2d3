import type { NoticeList, NoticeView } from "#protocol/notices.ts";
import type { Index, Item } from "../../ports/table.ts";
import { NOTICES_PASS } from "../announcing-table.ts";
import { AppError } from "../app-error.ts";
import { changeItem } from "../changes.ts";
import type { Deps } from "../deps.ts";
import { deliveryKey } from "../keys.ts";
import { requireAdmin, requireUser, type Principal, type User } from "../principal.ts";
import { retrying } from "../retrying.ts";
import { getChangeableJob } from "../visible.ts";
import { deliveryItem, type DeliveryRecord } from "./delivery-record.ts";
import { eventNames } from "./webhook-changes.ts";

export interface DeliveryFilter {
  job?: number | undefined;
  webhook?: string | undefined;
  state?: NoticeView["state"] | undefined;
  limit?: number | undefined;
  cursor?: string | undefined;
}

/**
 * What the lab has sent or will, newest first: of a job for whoever may change it, all for an administrator. With `state` a page
 * may be short and yet have a cursor.
 */
export async function listDeliveries(
  deps: Deps,
  principal: Principal,
  { job, webhook, state, limit = 50, cursor }: DeliveryFilter,
): Promise<NoticeList> {
  const user = requireUser(principal);
  if (job === undefined) requireAdmin(principal);
  else await getChangeableJob(deps, user, job, "asked for its notices");
  const [index, list]: [Index, string] =
    job !== undefined
      ? ["i2", `job-deliveries#${job}`]
      : webhook === undefined
        ? ["i1", "deliveries"]
        : ["i4", `hook-deliveries#${webhook}`];
  const page = await deps.table.query<DeliveryRecord>(index, list, {
    reverse: true,
    limit: Math.min(Math.max(1, limit), 200),
    ...(cursor === undefined ? {} : { cursor }),
  });
  const notices = page.items
    .filter(({ data }) => (state ?? data.state) === data.state)
    .map(({ data }) => deliveryView(data));
  return { notices, ...(page.cursor === undefined ? {} : { next_cursor: page.cursor }) };
}

/** Throws `not_found`, also for what somebody may not see. */
export async function getDelivery(
  deps: Deps,
  principal: Principal,
  id: string,
): Promise<NoticeView> {
  return deliveryView((await readable(deps, requireUser(principal), id)).data);
}

/** Sends it once more, under the same id, and then as often as at first. Throws `not_found`; `conflict` while it is pending. */
export async function replayDelivery(
  deps: Deps,
  principal: Principal,
  id: string,
): Promise<NoticeView> {
  const user = requireUser(principal);
  const delivery = await retrying(async () => {
    const { data, version } = await readable(deps, user, id);
    if (data.state === "pending") {
      throw new AppError("conflict", `notice ${id} has not been sent yet: it is due ${data.due}`);
    }
    const due = new Date(deps.system.now()).toISOString();
    const again: DeliveryRecord = { ...data, state: "pending", due, failures: 0 };
    const changed: Record<string, [string, string]> = { state: [data.state, "pending"] };
    const change = { who: user.name, kind: "lab", name: `notice ${id}`, changed } as const;
    await deps.table.transact([
      { put: deliveryItem(again), when: { version } },
      { put: changeItem(deps, change), when: "absent" },
    ]);
    return again;
  });
  await deps.signals.requestPass(NOTICES_PASS);
  return deliveryView(delivery);
}

async function readable(deps: Deps, user: User, id: string): Promise<Item<DeliveryRecord>> {
  const none = new AppError("not_found", `there is no notice ${JSON.stringify(id)}`);
  const item = await deps.table.get<DeliveryRecord>(deliveryKey(id));
  if (!item) throw none;
  const { notice } = item.data;
  if (notice) await getChangeableJob(deps, user, notice.job, "asked for its notices");
  else if (!user.admin) throw none;
  return item;
}

function deliveryView(delivery: DeliveryRecord): NoticeView {
  const { id, kind, state, created, due, notice, webhook, change, user } = delivery;
  const [to, tries] = user === undefined ? [delivery.to, delivery.tries] : named(delivery, user);
  const event = change ? eventNames(change)[0] : `job.${notice?.state.toLowerCase()}`;
  return {
    ...{ id, kind, state, created, to, event: event ?? "", tries },
    ...(due === undefined ? {} : { due }),
    ...(notice ? { job: notice.job } : {}),
    ...(webhook === undefined ? {} : { webhook }),
  };
}

/** Anybody may have a job's mail sent to a user: it does not tell them the address, nor does what its server said. */
function named({ to, tries }: DeliveryRecord, user: string): [string, DeliveryRecord["tries"]] {
  const address = new RegExp(to.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"), "gi");
  const without = (text: string): string => text.replaceAll(address, () => user);
  const shown = tries.map(({ time, ...texts }) => ({
    time,
    ...Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, without(text)])),
  }));
  return [user, shown];
}
