import type { Item } from "../../ports/table.ts";
import type { ChangeRecord } from "../changes.ts";
import type { Deps } from "../deps.ts";
import { lateFrom, makePosition, readPosition, untold, type Position } from "../events/position.ts";
import { changesFrom } from "../events/read-changes.ts";
import { findJobItem } from "../job-record.ts";
import { deliveryKey, webhooksReadKey } from "../keys.ts";
import { deliveryItem, type DeliveryRecord } from "./delivery-record.ts";
import { allWebhooks, type ReadUpTo, type WebhookRecord } from "./webhooks.ts";

/** In one transaction, with the position. */
const MAX_DELIVERIES = 50;
const MAX_CHANGES = 1000;

/** The names of what a change is, as webhooks know it: `job.finished`, `device.health`. */
export function eventNames({ kind, changed }: ChangeRecord): string[] {
  if (kind === "job") {
    const state = changed["state"]?.[1];
    return state ? [`job.${state.toLowerCase()}`] : [];
  }
  if (kind !== "device" && kind !== "worker") return [];
  return ["health", "state"].filter((field) => field in changed).map((field) => `${kind}.${field}`);
}

/** The name under which a webhook is told of a change; undefined when it does not want to be. */
export function eventFor(
  { events, since, active }: Pick<WebhookRecord, "events" | "since" | "active">,
  change: ChangeRecord,
): string | undefined {
  if (!active || change.id <= since) return undefined;
  const wants = (name: string) =>
    events.includes(name) || events.includes(name.replace(/\..*/, ".*"));
  return eventNames(change).find(wants);
}

/**
 * Reads what has changed since the last time and makes a message of each change for each webhook that wants it. What was read
 * is written with the messages, so that none is made twice and none is missed. Throws `TableConflict` when somebody else is at it.
 */
export async function readWebhookChanges(deps: Deps): Promise<void> {
  const webhooks = (await allWebhooks(deps)).filter(({ active }) => active);
  if (webhooks.length === 0) return;
  const item = await deps.table.get<ReadUpTo>(webhooksReadKey);
  const start = item && readPosition(item.data.position);
  if (!start) {
    // The lab was restored: what changed before was told where it was.
    await save(deps, item, makePosition(new Date(deps.system.now()).toISOString()), []);
    return;
  }
  let at = item;
  let deliveries: DeliveryRecord[] = [];
  let seen = 0;
  const { position, changes } = await newsSince(deps, start);
  for (const change of changes) {
    if (!position.add(change.id)) continue;
    deliveries.push(...(await newDeliveries(deps, webhooks, change)));
    if (deliveries.length >= MAX_DELIVERIES || ++seen % MAX_CHANGES === 0) {
      at = await save(deps, at, position, deliveries);
      deliveries = [];
    }
  }
  if (position.text() !== at.data.position) await save(deps, at, position, deliveries);
}

/** What is new since a position, and the position that goes with it. */
async function newsSince(deps: Deps, start: NonNullable<ReturnType<typeof readPosition>>) {
  const window: ChangeRecord[] = [];
  const fresh: ChangeRecord[] = [];
  for await (const change of changesFrom(deps, lateFrom(start.latest))) {
    (change.id <= start.latest ? window : fresh).push(change);
    // The rest is the next pass's.
    if (fresh.length === 5 * MAX_CHANGES) break;
  }
  const late = new Set(
    untold(
      start,
      window.map(({ id }) => id),
    ),
  );
  const told = window.filter(({ id }) => !late.has(id)).map(({ id }) => id);
  const position = makePosition(start.latest, told);
  return {
    position,
    changes: [...window.filter(({ id }) => late.has(id)), ...fresh],
  };
}

async function newDeliveries(
  deps: Deps,
  webhooks: readonly WebhookRecord[],
  change: ChangeRecord,
): Promise<DeliveryRecord[]> {
  const created = new Date(deps.system.now()).toISOString();
  const deliveries: DeliveryRecord[] = [];
  const wanting = webhooks.filter((webhook) => eventFor(webhook, change) !== undefined);
  const isPublic = wanting.length > 0 && (await isForAll(deps, change));
  for (const webhook of wanting) {
    if (!isPublic && webhook.visibility !== "all") continue;
    // The random part of the change's id, and its time: no two changes have both.
    const id = `${webhook.id}-${change.id.replaceAll(/[^0-9a-f]/g, "")}`;
    // Where several came late, all of that time are looked at again.
    if (await deps.table.get(deliveryKey(id))) continue;
    deliveries.push({
      ...{ id, kind: "webhook", state: "pending", created, due: created, to: webhook.to },
      ...{ failures: 0, tries: [], webhook: webhook.id, change },
    });
  }
  return deliveries;
}

/** A job that is not public is nobody's business by itself; nor is one that is not there any more to say so. */
async function isForAll(deps: Deps, { kind, name }: ChangeRecord): Promise<boolean> {
  if (kind !== "job") return true;
  const job = (await findJobItem(deps, Number(name)))?.data;
  return (
    job !== undefined && (job.visibility ?? "public") === "public" && !job.viewing_groups?.length
  );
}

async function save(
  deps: Deps,
  item: Item<ReadUpTo> | undefined,
  position: Position,
  deliveries: readonly DeliveryRecord[],
): Promise<Item<ReadUpTo>> {
  const data: ReadUpTo = { position: position.text() };
  const key = webhooksReadKey;
  await deps.table.transact([
    { put: { key, data }, when: item ? { version: item.version } : "absent" },
    ...deliveries.map((delivery) => ({ put: deliveryItem(delivery), when: "absent" }) as const),
  ]);
  return { key, data, version: (item?.version ?? 0) + 1 };
}
