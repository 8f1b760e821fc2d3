import * as v from "valibot";
import type { SecondaryKeys, StoredItem } from "../../ports/table.ts";
import { kindOf } from "../item-kinds.ts";
import { deliveryItem, type DeliveryRecord } from "../notices/delivery-record.ts";
import type { Looking } from "./check-page.ts";

/** What is late by so much was forgotten: a tick comes every minute, and bears some that fail. */
const LATE_MS = 15 * 60 * 1000;
/** Lists by time of what is still to be done. */
const DUE = new Set(["due", "attention", "deliveries-due", "notices-due"]);

/** Whether an item is of a known kind and shape, and its lists are those that its data say. */
export function checkForm({ deps, isClosed, say }: Looking, item: StoredItem): boolean {
  const { key, data, keys = {} } = item;
  const what = `${key.partition} ${key.sort}`.slice(0, 200);
  const kind = kindOf(key);
  if (!kind) {
    say("unknown-item", what, "no kind of item has such a key");
    return false;
  }
  const read = v.safeParse(kind.schema, data);
  if (!read.success) {
    const [issue] = read.issues;
    say("damaged-item", what, `${v.getDotPath(issue) ?? "data"}: ${issue.message}`);
    return false;
  }
  if (kind.travels) {
    // A restore writes a delivery otherwise than the lab in which it was made.
    const isDelivery = kind.name === "delivery";
    const made = isDelivery
      ? deliveryItem(data as DeliveryRecord)
      : kind.remake(data as never, key);
    if (made.key.partition !== key.partition || made.key.sort !== key.sort) {
      say("damaged-item", what, `its data is of ${made.key.partition} ${made.key.sort}`);
      return false;
    }
    const [is, be] = [listsOf(keys), listsOf(made.keys ?? {})];
    const wrong = [
      ...is.filter((list) => !be.includes(list)).map((list) => `it stands in ${list}`),
      ...be.filter((list) => !is.includes(list)).map((list) => `it does not stand in ${list}`),
    ];
    if (wrong.length > 0) say("wrong-lists", what, wrong.join("; "));
  }
  if (isClosed) return true;
  for (const { partition, sort } of Object.values(keys)) {
    const due = DUE.has(partition) ? Date.parse(sort.split("#")[0]!) : NaN;
    // Some are due always.
    if (!(due > Date.parse("2001-01-01"))) continue;
    const late = deps.system.now() - due;
    if (late > LATE_MS) say("overdue", what, `due since ${Math.round(late / 60_000)} minutes`);
  }
  return true;
}

const listsOf = (keys: SecondaryKeys): string[] =>
  Object.entries(keys).map(([index, { partition, sort }]) => `${index} ${partition} ${sort}`);
