import type { AddedWebhook, AddWebhook, WebhookFormat, WebhookView } from "#protocol/notices.ts";
import type { Item, NewItem, Operation } from "../../ports/table.ts";
import { AppError } from "../app-error.ts";
import { changeItem, LAB, type ChangeRecord } from "../changes.ts";
import type { Deps } from "../deps.ts";
import { makePosition } from "../events/position.ts";
import { webhookKey, webhooksReadKey } from "../keys.ts";
import { requireAdmin, type Principal } from "../principal.ts";
import { queryAll } from "../query-all.ts";
import { retrying } from "../retrying.ts";
import { without } from "../without.ts";
import { shownUrl } from "./shown-url.ts";

/** Somebody whom the lab tells of changes. What may be secret is sealed under the lab's secret, for this webhook only. */
export interface WebhookRecord extends Omit<WebhookView, "format" | "events"> {
  events: string[];
  format: WebhookFormat;
  sealed_url: string;
  sealed_secret?: string;
  /** Id of the change that switched it on: those after it are told. */
  since: string;
}

export const MAX_WEBHOOKS = 50;
/** Up to where the lab's changes have been read for webhooks. */
export interface ReadUpTo {
  position: string;
}

/** So many tries may fail one after the other. */
const MAX_FAILURES = 30;

export const webhookItem = (data: WebhookRecord): NewItem => ({
  key: webhookKey(data.id),
  data,
  keys: { i1: { partition: "webhooks", sort: data.id } },
});

/** Every webhook, for an administrator. */
export async function listWebhooks(
  deps: Deps,
  principal: Principal,
): Promise<{ webhooks: WebhookView[] }> {
  requireAdmin(principal);
  const webhooks = (await allWebhooks(deps)).map((webhook) =>
    without(webhook, "sealed_url", "sealed_secret", "since"),
  );
  return { webhooks };
}

export async function allWebhooks(deps: Deps): Promise<WebhookRecord[]> {
  const webhooks: WebhookRecord[] = [];
  for await (const { data } of queryAll<WebhookRecord>(deps, "main", webhookKey("").partition)) {
    webhooks.push(data);
  }
  return webhooks;
}

/** Adds one; the answer is the only place that has its secret. Throws `conflict` when there are too many. */
export async function addWebhook(
  deps: Deps,
  principal: Principal,
  { url, events, format, description, visibility, secret }: AddWebhook,
): Promise<AddedWebhook> {
  const { name: by } = requireAdmin(principal);
  if (format !== "pumice" && secret !== undefined) {
    throw new AppError("invalid", `secret: only webhooks of the format pumice are signed`);
  }
  if ((await allWebhooks(deps)).length >= MAX_WEBHOOKS) {
    throw new AppError("conflict", `there are ${MAX_WEBHOOKS} webhooks; remove one first`);
  }
  const id = deps.system.id();
  const key = format === "pumice" ? (secret ?? deps.system.randomToken()) : undefined;
  const created = new Date(deps.system.now()).toISOString();
  const to = format === "pumice" ? shownUrl(url) : `${new URL(url).origin}/...`;
  const change = told(deps, by, { id, to }, { active: [null, "true"] });
  const webhook: WebhookRecord = {
    ...{ id, to, events, format, description, visibility, created, by },
    ...{ active: true, failures: 0 },
    since: idOf(change),
    sealed_url: seal(deps, id, url),
    ...(key === undefined ? {} : { sealed_secret: seal(deps, id, key) }),
  };
  await retrying(async () => {
    await deps.table.transact([
      { put: webhookItem(webhook), when: "absent" },
      { put: change, when: "absent" },
      ...(await readFrom(deps, webhook.since)),
    ]);
  });
  return key === undefined ? { id } : { id, secret: key };
}

/** Where nobody was told of changes until now, those from here on are looked at first. */
async function readFrom(deps: Deps, since: string): Promise<Operation[]> {
  const item = await deps.table.get<ReadUpTo>(webhooksReadKey);
  if (item && (await allWebhooks(deps)).some(({ active }) => active)) return [];
  const data: ReadUpTo = { position: makePosition(since).text() };
  const when = item ? { version: item.version } : ("absent" as const);
  return [{ put: { key: webhooksReadKey, data }, when }];
}

/** Throws `not_found`. */
export async function removeWebhook(deps: Deps, principal: Principal, id: string): Promise<void> {
  const { name } = requireAdmin(principal);
  await retrying(async () => {
    const { data, version } = await getWebhook(deps, id);
    await deps.table.transact([
      { delete: webhookKey(id), when: { version } },
      { put: told(deps, name, data, { active: [String(data.active), null] }), when: "absent" },
    ]);
  });
}

/** Switches one on again that was switched off; it is told of changes from now on. Throws `not_found`. */
export async function enableWebhook(deps: Deps, principal: Principal, id: string): Promise<void> {
  const { name } = requireAdmin(principal);
  await retrying(async () => {
    const { data, version } = await getWebhook(deps, id);
    if (data.active) return;
    const change = told(deps, name, data, { active: ["false", "true"] });
    const webhook = { ...without(data, "why"), active: true, failures: 0, since: idOf(change) };
    await deps.table.transact([
      { put: webhookItem(webhook), when: { version } },
      { put: change, when: "absent" },
    ]);
  });
}

/** Counts how its tries end; after too many failures one after the other it is switched off, with an entry in the audit log. */
export async function countTry(deps: Deps, id: string, isSent: boolean): Promise<void> {
  await retrying(async () => {
    const item = await findWebhook(deps, id);
    if (!item || (isSent && item.data.failures === 0)) return;
    const { data, version } = item;
    const failures = isSent ? 0 : data.failures + 1;
    const isOver = data.active && failures >= MAX_FAILURES;
    const why = `${failures} tries failed one after the other`;
    const webhook = { ...data, failures, ...(isOver ? { active: false, why } : {}) };
    const change = { ...told(deps, LAB, data, { active: ["true", "false"] }, why) };
    await deps.table.transact([
      { put: webhookItem(webhook), when: { version } },
      ...(isOver ? [{ put: change, when: "absent" } as const] : []),
    ]);
    if (isOver) deps.system.log("webhook switched off", { webhook: id, to: data.to });
  });
}

export const findWebhook = (
  { table }: Deps,
  id: string,
): Promise<Item<WebhookRecord> | undefined> => table.get<WebhookRecord>(webhookKey(id));

async function getWebhook(deps: Deps, id: string): Promise<Item<WebhookRecord>> {
  const item = await findWebhook(deps, id);
  if (!item) throw new AppError("not_found", `there is no webhook ${JSON.stringify(id)}`);
  return item;
}

function told(
  deps: Deps,
  who: string,
  { id, to }: Pick<WebhookRecord, "id" | "to">,
  changed: Record<string, [string | null, string | null]>,
  reason = to,
): NewItem {
  return changeItem(deps, { who, kind: "lab", name: `webhook ${id}`, changed, reason });
}

const idOf = ({ data }: NewItem): string => (data as ChangeRecord).id;

const placeOf = (id: string): string => `webhook ${id}`;
const seal = ({ system, settings }: Deps, id: string, text: string): string =>
  system.seal(settings.secret, placeOf(id), text);

/** What was sealed; undefined in another lab than that where it was. */
export const unsealed = ({ system, settings }: Deps, id: string, text: string) =>
  system.unseal(settings.secret, placeOf(id), text);
