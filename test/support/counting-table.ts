import type { Key, Table } from "../../control-plane/ports/table.ts";

/** A table that tells how often it was asked, and for how many items. */
export function countingTable(table: Table) {
  const read = { calls: 0, items: 0 };
  const counting: Table = {
    scan: (cursor) => table.scan(cursor),
    transact: (operations) => table.transact(operations),
    counter: (name) => table.counter(name),
    raiseCounter: (name, value) => table.raiseCounter(name, value),
    async get<T>(key: Key) {
      read.calls += 1;
      return table.get<T>(key);
    },
    async count(...asked) {
      read.calls += 1;
      return table.count(...asked);
    },
    async query<T>(...asked: Parameters<Table["query"]>) {
      const page = await table.query<T>(...asked);
      read.calls += 1;
      read.items += page.items.length;
      return page;
    },
  };
  return { table: counting, read };
}
