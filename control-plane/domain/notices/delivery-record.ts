import type { NewItem } from "../../ports/table.ts";
import type { ChangeRecord } from "../changes.ts";
import { deliveryKey } from "../keys.ts";
import type { NoticedState } from "./notice-record.ts";

/**
 * One message to one receiver, and what became of it. What it says is made when it is sent, of what it is about, so that a log of
 * any length is in no item.
 */
export interface DeliveryRecord {
  /** Made of what it is about, so that the same message is never made twice. Receivers are told it. */
  id: string;
  kind: "callback" | "email" | "webhook";
  /** `lapsed`: never to be sent, for the reason that its last try tells. */
  state: "pending" | "sent" | "failed" | "lapsed";
  created: string;
  /** Where it goes, for people: an address or a URL, without what may be secret in it. */
  to: string;
  /** Whose address that is, of a mail to a user: those who may see the delivery are told the name, not the address. */
  user?: string;
  /** When it is sent (again); only while it is pending. */
  due?: string;
  /** Tries that failed since it was made or asked for again. */
  failures: number;
  /** The last ones, oldest first. */
  tries: DeliveryTry[];
  /** Of a job's `notify`: what it is about, and the how manieth callback or recipient. */
  notice?: { job: number; attempt: number; state: NoticedState; index: number };
  /** Of a webhook, and the change it is about. */
  webhook?: string;
  change?: ChangeRecord;
}

/** One try: what was sent and what came back, in short. */
export interface DeliveryTry {
  time: string;
  request?: string;
  response?: string;
  error?: string;
}

const KEPT_MS = 30 * 24 * 60 * 60 * 1000;
const MAX_TRIES_KEPT = 10;

/** The item of a delivery. */
export const deliveryItem = (delivery: DeliveryRecord): NewItem => {
  const { id, created, due, notice, webhook } = delivery;
  const sort = `${created}#${id}`;
  return {
    key: deliveryKey(id),
    data: { ...delivery, tries: delivery.tries.slice(-MAX_TRIES_KEPT) },
    keys: {
      i1: { partition: "deliveries", sort },
      ...(notice ? { i2: { partition: `job-deliveries#${notice.job}`, sort } } : {}),
      ...(due === undefined ? {} : { i3: { partition: "deliveries-due", sort: `${due}#${id}` } }),
      ...(webhook === undefined ? {} : { i4: { partition: `hook-deliveries#${webhook}`, sort } }),
    },
    expires: Date.parse(created) + KEPT_MS,
  };
};

/** In a lab that was restored or moved nothing is sent that the other one may have sent: it can be asked for again. */
export const restoredDelivery = (delivery: DeliveryRecord): NewItem => {
  if (delivery.state !== "pending") return deliveryItem(delivery);
  const { due: _, ...rest } = delivery;
  const error = "the lab was restored from a backup meanwhile";
  const tries = [...delivery.tries, { time: delivery.created, error }];
  return deliveryItem({ ...rest, state: "lapsed", tries });
};
