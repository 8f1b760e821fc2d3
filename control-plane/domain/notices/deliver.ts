import { CallRefused } from "../../ports/outbound.ts";
import { TableConflict, type Item } from "../../ports/table.ts";
import { NOTICES_PASS } from "../announcing-table.ts";
import { findClosed } from "../closed-lab.ts";
import type { Deps } from "../deps.ts";
import { labSettings } from "../lab-settings.ts";
import { without } from "../without.ts";
import { deliveryItem, type DeliveryRecord, type DeliveryTry } from "./delivery-record.ts";
import { noticeItem, type NoticeRecord } from "./notice-record.ts";
import { openNotice } from "./open-notice.ts";
import { sendWebhook } from "./send-webhook.ts";
import { readWebhookChanges } from "./webhook-changes.ts";
import { countTry } from "./webhooks.ts";
import { sendNotice, type Sent } from "./send-notice.ts";

/** Minutes to wait after each failure; then it is given up. */
const BACK_OFF_MINUTES = [1, 5, 30, 2 * 60, 8 * 60, 24 * 60];
/** Whoever is sending has so long; after that it is taken for lost, and sent again. */
const LEASE_MS = 60_000;
const AT_A_TIME = 8;
const PAGE = 50;
/** A pass begins nothing new after so long, for those that wait behind it; another one goes on. */
const PASS_MS = 10_000;
/** A notice that can't be looked at is tried so long. */
const GIVE_UP_MS = 60 * 60_000;

/**
 * Looks at the notices that are due and sends the messages that are due, once each as far as that can be: of a message whose
 * sender died nobody knows whether it arrived, so it is sent again, with the same id. In a closed lab nothing is sent.
 */
export async function deliverNotices(deps: Deps): Promise<void> {
  if (await findClosed(deps)) return;
  const end = deps.system.now() + PASS_MS;
  const isOpened = await eachDue<NoticeRecord>(deps, "notices-due", end, (item) =>
    open(deps, item),
  );
  await unlessTaken(deps, () => readWebhookChanges(deps));
  const isSent = await eachDue<DeliveryRecord>(deps, "deliveries-due", end, (item) =>
    deliver(deps, item),
  );
  if (!isOpened || !isSent) await deps.signals.requestPass(NOTICES_PASS);
}

async function open(deps: Deps, item: Item<NoticeRecord>): Promise<void> {
  try {
    await openNotice(deps, item);
  } catch (error) {
    const isOld = Date.parse(item.data.time) < deps.system.now() - GIVE_UP_MS;
    if (error instanceof TableConflict || !isOld) throw error;
    const closed = { ...item.data, open: false, outcome: `given up: ${String(error)}` };
    await deps.table.transact([{ put: noticeItem(closed), when: { version: item.version } }]);
  }
}

/** Everything of a list up to now, some at a time; what somebody else is at is left to them. False when the time was over. */
async function eachDue<T>(
  deps: Deps,
  list: string,
  end: number,
  work: (item: Item<T>) => Promise<void>,
): Promise<boolean> {
  const range = { to: `${new Date(deps.system.now()).toISOString()}~`, limit: PAGE };
  let cursor: string | undefined;
  do {
    const page = await deps.table.query<T>("i3", list, {
      ...range,
      ...(cursor === undefined ? {} : { cursor }),
    });
    for (let at = 0; at < page.items.length; at += AT_A_TIME) {
      if (deps.system.now() > end) return false;
      const some = page.items.slice(at, at + AT_A_TIME);
      await Promise.all(some.map((item) => unlessTaken(deps, () => work(item))));
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  return true;
}

async function unlessTaken(deps: Deps, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof TableConflict) return;
    // One that can't be read must not hold up the others.
    deps.system.log("a notice failed", { error: String(error) });
  }
}

async function deliver(deps: Deps, { key }: Item<DeliveryRecord>): Promise<void> {
  const item = await deps.table.get<DeliveryRecord>(key);
  const { data: delivery, version } = item ?? {};
  const now = deps.system.now();
  if (!delivery || version === undefined || delivery.state !== "pending") return;
  if (Date.parse(delivery.due ?? "") > now) return;
  // Taken: nobody else sends it until the lease is over.
  const taken = { ...delivery, due: new Date(now + LEASE_MS).toISOString() };
  await deps.table.transact([{ put: deliveryItem(taken), when: { version } }]);
  const result = await trySending(deps, delivery);
  const ended = {
    put: deliveryItem(afterTry(deps, delivery, result)),
    when: { version: version + 1 },
  };
  await deps.table.transact([ended]);
  const { webhook } = delivery;
  if (webhook !== undefined) await countTry(deps, webhook, result.outcome === "sent");
}

interface Result {
  attempt: DeliveryTry;
  outcome: "sent" | "again" | "never";
}

async function trySending(deps: Deps, delivery: DeliveryRecord): Promise<Result> {
  const time = new Date(deps.system.now()).toISOString();
  try {
    const { request, response, status } = await send(deps, delivery);
    return { attempt: { time, request, response }, outcome: outcomeOf(status) };
  } catch (error) {
    const outcome = error instanceof CallRefused ? "never" : "again";
    const said = error instanceof Error ? error.message : String(error);
    return { attempt: { time, error: said.slice(0, 500) }, outcome };
  }
}

async function send(deps: Deps, delivery: DeliveryRecord): Promise<Sent> {
  const { notices } = await labSettings(deps);
  if (delivery.notice) return sendNotice(deps, notices, delivery, delivery.notice);
  return sendWebhook(deps, notices, delivery);
}

/** What says "not now" is tried again; a redirect or a refusal is for good. */
function outcomeOf(status: number | undefined): Result["outcome"] {
  if (status === undefined || (status >= 200 && status < 300)) return "sent";
  return status >= 500 || [408, 425, 429].includes(status) ? "again" : "never";
}

function afterTry(
  deps: Deps,
  delivery: DeliveryRecord,
  { attempt, outcome }: Result,
): DeliveryRecord {
  const done = { ...without(delivery, "due"), tries: [...delivery.tries, attempt] };
  if (outcome === "sent") return { ...done, state: "sent" };
  const minutes = outcome === "again" ? BACK_OFF_MINUTES[delivery.failures] : undefined;
  const failures = delivery.failures + 1;
  if (minutes === undefined) return { ...done, state: "failed", failures };
  const due = new Date(deps.system.now() + minutes * 60_000).toISOString();
  return { ...done, failures, due };
}
