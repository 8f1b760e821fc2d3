import {
  MAX_OPERATIONS,
  MAX_TRANSACTION_BYTES,
  type Index,
  type Key,
  type Page,
  type Range,
  type Table,
} from "../../ports/table.ts";
import { createReadCache, itemOf } from "./read-cache.ts";
import { countOf, find, isEmpty, query, scan, SECONDARY } from "./read-rows.ts";
import type { Database, Row } from "./sqlite.ts";
import type { Store } from "./store.ts";
import { apply, type Written } from "./write-rows.ts";

export interface EmbeddedTable extends Table {
  /** Keys of what has expired and is still on the disk. */
  expiredKeys(): Key[];
  /** Deletes what has expired; readers never see it anyway. */
  removeExpired(): void;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS item (
    main_partition TEXT NOT NULL, main_sort TEXT NOT NULL,
    version INTEGER NOT NULL, data TEXT NOT NULL, expires INTEGER,
    ${SECONDARY.map((name) => `${name}_partition TEXT, ${name}_sort TEXT`).join(", ")},
    PRIMARY KEY (main_partition, main_sort)
  );
  ${SECONDARY.map(
    (name) => `CREATE INDEX IF NOT EXISTS item_${name}
      ON item (${name}_partition, ${name}_sort, main_partition, main_sort)
      WHERE ${name}_partition IS NOT NULL;`,
  ).join("\n")}
  CREATE INDEX IF NOT EXISTS item_expires ON item (expires) WHERE expires IS NOT NULL;
  CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
`;

/** The table in one SQLite file; a transaction is one SQLite transaction, so all reads are current. What is read can't be changed. */
export function openTable(store: Store, now: () => number): EmbeddedTable {
  const { database } = store;
  database.exec(SCHEMA);
  const cache = createReadCache();
  const counters = new Map<string, number>();

  return {
    async get<T>(key: Key) {
      const at = now();
      const known = cache.row(key, at);
      if (known) return itemOf<T>(key, known);
      const row = find(database, key, at);
      const read = row && {
        ...{ version: Number(row["version"]), text: String(row["data"]) },
        expires: row["expires"] === null ? undefined : Number(row["expires"]),
      };
      cache.keepRow(key, read);
      return read && itemOf<T>(key, read);
    },
    async query<T>(index: Index, partition: string, range: Range = {}) {
      const bucket = `${index}#${partition}`;
      const name = JSON.stringify(range);
      const known = cache.page(bucket, name) ?? cache.page(bucket, NOTHING);
      if (known) return known as Page<T>;
      const { rows, page } = query<T>(database, index, partition, range, now());
      // What is due is asked for with the time, again and again, and most often nothing is.
      if (rows.length === 0 && isEmpty(database, index, partition)) {
        cache.keepPage(bucket, NOTHING, page, 0);
        return page;
      }
      if (rows.every((row) => !row["expires"])) cache.keepPage(bucket, name, page, charsIn(rows));
      return page;
    },
    count: async (index, partition, range) =>
      countOf(database, index, partition, { ...range, at: now() }),
    async transact(operations) {
      if (operations.length > MAX_OPERATIONS) {
        throw new Error(
          `a transaction has at most ${MAX_OPERATIONS} operations, not ${operations.length}`,
        );
      }
      const written = new Map<Key, Written>();
      await store.commit(
        () => {
          const at = now();
          const touched = new Set<string>();
          let bytes = 0;
          for (const operation of operations) {
            bytes += apply(database, operation, { at, touched, cache, written });
            if (bytes > MAX_TRANSACTION_BYTES) {
              throw new Error(`a transaction has at most ${MAX_TRANSACTION_BYTES} bytes`);
            }
          }
        },
        // Not before: of one that fails, nothing is there.
        () => {
          for (const [key, row] of written) cache.keepRow(key, row);
        },
      );
    },
    async counter(name) {
      const value = (counters.get(name) ?? storedCounter(database, name)) + 1;
      counters.set(name, value);
      // Whoever writes something under this number does so with it, or behind it in the log.
      store.later(`counter ${name}`, () => storeCounter(database, name, value));
      return value;
    },
    async raiseCounter(name, value) {
      const raised = Math.max(value, counters.get(name) ?? storedCounter(database, name));
      counters.set(name, raised);
      await store.commit(() => storeCounter(database, name, raised));
    },
    scan: async (cursor) => scan(database, cursor, now()),
    expiredKeys: () =>
      database
        .all("SELECT main_partition, main_sort FROM item WHERE expires <= ?", now())
        .map((row) => ({
          partition: String(row["main_partition"]),
          sort: String(row["main_sort"]),
        })),
    removeExpired: () => database.run("DELETE FROM item WHERE expires <= ?", now()),
  };
}

const storedCounter = (database: Database, name: string): number =>
  Number(database.all("SELECT value FROM counter WHERE name = ?", name)[0]?.["value"] ?? 0);

const storeCounter = (database: Database, name: string, value: number): void =>
  database.run(
    "INSERT INTO counter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    ...[name, value],
  );

/** No query has such a name: there is nothing in this partition, whatever is asked for. */
const NOTHING = "";

const charsIn = (rows: readonly Row[]): number =>
  rows.reduce((sum, { data }) => sum + String(data).length, 0);
