import type { Signals } from "../ports/signals.ts";
import type { Operation, Table } from "../ports/table.ts";

/** What is asked for like a scheduling pass: `deliverNotices`. No device type has such a name. */
export const NOTICES_PASS = "#notices";

/**
 * The table, with a ring of the bell `changes` after each transaction that has one, and the request for a pass that delivers
 * notices where there is one to deliver: so nobody who makes a change can forget it. `eager`: also after a change of which a
 * webhook may want to know, where asking costs nothing.
 */
export function announcingTable(
  table: Table,
  signals: Signals,
  { eager }: { eager: boolean },
): Table {
  return {
    get: (key) => table.get(key),
    query: (index, partition, range) => table.query(index, partition, range),
    count: (index, partition, range) => table.count(index, partition, range),
    counter: (name) => table.counter(name),
    raiseCounter: (name, value) => table.raiseCounter(name, value),
    scan: (cursor) => table.scan(cursor),
    async transact(operations) {
      await table.transact(operations);
      const hasChange = operations.some((one) => isPutOf(one, "changes#"));
      if (hasChange) await signals.ring("changes");
      if ((hasChange && eager) || operations.some((one) => isPutOf(one, "notice#"))) {
        await signals.requestPass(NOTICES_PASS);
      }
    },
  };
}

const isPutOf = (operation: Operation, prefix: string): boolean =>
  "put" in operation && operation.put.key.partition.startsWith(prefix);
