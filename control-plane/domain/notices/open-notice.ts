import type { Item } from "../../ports/table.ts";
import type { Deps } from "../deps.ts";
import { deviceKey } from "../keys.ts";
import { findUser } from "../users.ts";
import { MAX_CALLBACKS, MAX_RECIPIENTS, whyNotWanted, type Notify } from "./criteria.ts";
import { deliveryItem, type DeliveryRecord } from "./delivery-record.ts";
import { noticeItem, type NoticeRecord } from "./notice-record.ts";
import { whyDependent } from "./noticed-query.ts";
import { readNoticed } from "./noticed-job.ts";
import { previousJob } from "./previous-jobs.ts";
import { shownUrl } from "./shown-url.ts";

/**
 * Looks at a notice: whom the job's `notify` wants told of it. Their messages are written with what became of the notice, in one
 * transaction under the version that was read. Throws `TableConflict`.
 */
export async function openNotice(deps: Deps, item: Item<NoticeRecord>): Promise<void> {
  const notice = item.data;
  if (!notice.open) return;
  const { notify } = await readNoticed(deps, notice.job);
  const previous = notify?.criteria.type ? await previousJob(deps, notice.snapshot) : undefined;
  const why = notify
    ? (whyNotWanted(notify.criteria, notice, previous?.health) ??
      (await whyDependent(deps, notify, notice.snapshot)))
    : "the job's definition says nothing of whom to tell";
  const deliveries = notify && why === undefined ? await deliveriesOf(deps, notice, notify) : [];
  const outcome = why ?? `${deliveries.length} are told`;
  await deps.table.transact([
    { put: noticeItem({ ...notice, open: false, outcome }), when: { version: item.version } },
    ...deliveries.map((delivery) => ({ put: deliveryItem(delivery), when: "absent" }) as const),
  ]);
}

async function deliveriesOf(
  deps: Deps,
  { job, attempt, state, snapshot }: NoticeRecord,
  notify: Notify,
): Promise<DeliveryRecord[]> {
  const created = new Date(deps.system.now()).toISOString();
  const about = (kind: "callback" | "email", index: number, to: string): DeliveryRecord => ({
    id: `${job}-${attempt}-${state.toLowerCase()}-${kind}-${index}`,
    ...{ kind, state: "pending", created, due: created, to, failures: 0, tries: [] },
    notice: { job, attempt, state, index },
  });
  const callbacks = callbacksOf(notify).map(({ url }, n) => about("callback", n, shownUrl(url)));
  const mails = recipientsOf(notify, snapshot.submitter).map(async (recipient, n) => {
    const { address, user, why } = await addressOf(deps, recipient, snapshot.device);
    const whose = user === undefined ? {} : { user };
    const mail = { ...about("email", n, address ?? recipient.user ?? "nobody"), ...whose };
    if (address !== undefined) return mail;
    const { due: _, ...rest } = mail;
    return { ...rest, state: "lapsed", tries: [{ time: created, error: why }] } as DeliveryRecord;
  });
  return [...callbacks, ...(await Promise.all(mails))];
}

export interface Recipient {
  email?: string | undefined;
  user?: string | undefined;
}

export const callbacksOf = ({ callback, callbacks = [] }: Notify) =>
  (callback ? [callback] : callbacks).slice(0, MAX_CALLBACKS);

/** Who gets a mail: those that are named (irc is not spoken here), or else the submitter where nobody else is told. */
export function recipientsOf(
  { recipients, callback, callbacks = [] }: Notify,
  submitter: string,
): Recipient[] {
  if (!recipients?.length && !callback && callbacks.length === 0) return [{ user: submitter }];
  const mails = (recipients ?? []).flatMap(({ to }) => (to.method === "email" ? [to] : []));
  const known = new Map(mails.map((to) => [to.email ?? `user ${to.user}`, to]));
  return [...known.values()].slice(0, MAX_RECIPIENTS);
}

/** `{LAVA_DEVICE_OWNER}` is whoever the job's device belongs to (SCHEDULER.md 7). */
async function addressOf(
  deps: Deps,
  { email, user }: Recipient,
  device: string | undefined,
): Promise<{ address?: string; user?: string; why?: string }> {
  if (email !== undefined) {
    return isAddress(email) ? { address: email } : { why: "that is no mail address" };
  }
  const name = user === "{LAVA_DEVICE_OWNER}" ? await ownerOf(deps, device) : user;
  if (name === undefined) return { why: "the job's device has no owner" };
  if (isAddress(name)) return { address: name };
  const record = (await findUser(deps, name))?.data;
  if (!record?.active) return { why: `there is no active user ${name}` };
  return isAddress(record.email)
    ? { address: record.email, user: name }
    : { why: `user ${name} has no mail address: pumice users set ${name} --email ADDRESS` };
}

async function ownerOf({ table }: Deps, device: string | undefined): Promise<string | undefined> {
  if (device === undefined) return undefined;
  const found = await table.get<{ physical_owner?: string }>(deviceKey(device));
  return found?.data.physical_owner || undefined;
}

const isAddress = (text: string): boolean =>
  text.length <= 320 && /^[^\s@<>,;:"()]+@[^\s@<>,;:"()]+$/.test(text);
