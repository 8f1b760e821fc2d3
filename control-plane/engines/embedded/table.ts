import {
  MAX_ITEM_BYTES,
  MAX_OPERATIONS,
  MAX_TRANSACTION_BYTES,
  TableConflict,
  type Condition,
  type Index,
  type Item,
  type Key,
  type NewItem,
  type Operation,
  type Page,
  type Range,
  type SecondaryKeys,
  type StoredItem,
  type Table,
} from "../../ports/table.ts";
import { createReadCache, type ReadCache } from "./read-cache.ts";
import type { Database, Row, Value } from "./sqlite.ts";
import type { Store } from "./store.ts";

export interface EmbeddedTable extends Table {
  /** Keys of what has expired and is still on the disk. */
  expiredKeys(): Key[];
  /** Deletes what has expired; readers never see it anyway. */
  removeExpired(): void;
}

const SECONDARY = ["i1", "i2", "i3", "i4"] as const;

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
      const partition = `main#${key.partition}`;
      const known = cache.find(partition, key.sort);
      if (known) return known.value as Item<T> | undefined;
      const row = find(database, key, now());
      const item = row && { key, version: Number(row["version"]), data: dataIn<T>(row) };
      if (!row?.["expires"]) cache.keep(partition, key.sort, item, charsIn(row ? [row] : []));
      return item;
    },
    async query<T>(index: Index, partition: string, range: Range = {}) {
      const bucket = `${index}#${partition}`;
      // No sort key is such a text.
      const name = `\0${JSON.stringify(range)}`;
      const known = cache.find(bucket, name) ?? cache.find(bucket, NOTHING);
      if (known) return known.value as Page<T>;
      const { rows, page } = query<T>(database, index, partition, range, now());
      // What is due is asked for with the time, again and again, and most often nothing is.
      if (rows.length === 0 && isEmpty(database, index, partition)) {
        cache.keep(bucket, NOTHING, page, 0);
        return page;
      }
      if (rows.every((row) => !row["expires"])) cache.keep(bucket, name, page, charsIn(rows));
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
      await store.commit(() => {
        const at = now();
        const touched = new Set<string>();
        let bytes = 0;
        for (const operation of operations) {
          bytes += apply(database, operation, { at, touched, cache });
          if (bytes > MAX_TRANSACTION_BYTES) {
            throw new Error(`a transaction has at most ${MAX_TRANSACTION_BYTES} bytes`);
          }
        }
      });
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
  database.run("INSERT OR REPLACE INTO counter VALUES (?, ?)", name, value);

/** No query has such a name: there is nothing in this partition, whatever is asked for. */
const NOTHING = "\0";

const isEmpty = (database: Database, index: Index, partition: string): boolean =>
  database.all(`SELECT 1 FROM item WHERE ${index}_partition = ? LIMIT 1`, partition).length === 0;

const charsIn = (rows: readonly Row[]): number =>
  rows.reduce((sum, { data }) => sum + String(data).length, 0);

interface Applying {
  readonly at: number;
  /** Names of items of this transaction. */
  readonly touched: Set<string>;
  readonly cache: ReadCache;
}

/** The bytes of data that were written. */
function apply(database: Database, operation: Operation, { at, touched, cache }: Applying): number {
  const key = keyOf(operation);
  const name = JSON.stringify([key.partition, key.sort]);
  if (touched.has(name)) throw new Error(`two operations of one transaction on ${name}`);
  touched.add(name);
  const row = find(database, key, at, WRITTEN_COLUMNS);
  if (!holds(operation.when, row)) {
    throw new TableConflict(`${name} is not ${JSON.stringify(operation.when)}`);
  }
  if ("check" in operation) return 0;
  cache.forget(`main#${key.partition}`);
  const keys = "put" in operation ? operation.put.keys : undefined;
  for (const name of SECONDARY) {
    const before = row?.[`${name}_partition`];
    if (typeof before === "string") cache.forget(`${name}#${before}`);
    if (keys?.[name]) cache.forget(`${name}#${keys[name].partition}`);
  }
  if ("put" in operation) {
    return write(database, operation.put, row);
  }
  database.run(
    "DELETE FROM item WHERE main_partition = ? AND main_sort = ?",
    key.partition,
    key.sort,
  );
  return 0;
}

function keyOf(operation: Operation): Key {
  if ("put" in operation) return operation.put.key;
  return "delete" in operation ? operation.delete : operation.check;
}

function holds(condition: Condition | undefined, row: Row | undefined): boolean {
  if (condition === undefined) return true;
  return condition === "absent" ? !row : row?.["version"] === condition.version;
}

const READ_COLUMNS = "version, data, expires";
const KEY_COLUMNS = SECONDARY.flatMap((name) => [`${name}_partition`, `${name}_sort`]);
const WRITTEN_COLUMNS = ["version", "expires", ...KEY_COLUMNS].join(", ");

function find(database: Database, key: Key, at: number, columns = READ_COLUMNS): Row | undefined {
  const [row] = database.all(
    `SELECT ${columns} FROM item WHERE main_partition = ? AND main_sort = ?
       AND (expires IS NULL OR expires > ?)`,
    key.partition,
    key.sort,
    at,
  );
  return row;
}

/** The length of its data. `before`: the row that it replaces. */
function write(database: Database, item: NewItem, before: Row | undefined): number {
  const { key, keys = {}, expires = null } = item;
  const data = encode(key, item.data);
  const values: Value[] = [
    ...SECONDARY.flatMap((name) => [keys[name]?.partition ?? null, keys[name]?.sort ?? null]),
    expires,
  ];
  const version = Number(before?.["version"] ?? 0) + 1;
  if (!before) {
    database.run(INSERT, key.partition, key.sort, version, data, ...values);
    return data.length;
  }
  // An index is written anew when one of its columns is named, be it with the same value.
  const changed = INDEXED_COLUMNS.flatMap((name, n) => (before[name] === values[n] ? [] : [n]));
  const set = ["version", "data", ...changed.map((n) => INDEXED_COLUMNS[n])].join(" = ?, ");
  database.run(
    `UPDATE item SET ${set} = ? WHERE main_partition = ? AND main_sort = ?`,
    ...[version, data, ...changed.map((n) => values[n]!), key.partition, key.sort],
  );
  return data.length;
}

const INDEXED_COLUMNS = [...KEY_COLUMNS, "expires"];
/** In place of one that has expired and is still there. */
const INSERT = `INSERT OR REPLACE INTO item (main_partition, main_sort, version, data, ${INDEXED_COLUMNS.join(", ")})
  VALUES (?, ?, ?, ?${", ?".repeat(INDEXED_COLUMNS.length)})`;

function encode(key: Key, data: object): string {
  const text = JSON.stringify(data);
  if (Buffer.byteLength(text) > MAX_ITEM_BYTES) {
    throw new Error(`item ${key.partition}/${key.sort} is larger than ${MAX_ITEM_BYTES} bytes`);
  }
  return text;
}

function query<T>(
  database: Database,
  index: Index,
  partition: string,
  { from, to, reverse = false, limit = 100, cursor }: Range,
  at: number,
): { rows: Row[]; page: Page<T> } {
  const sort = `${index}_sort`;
  const position = `(${sort}, main_partition, main_sort)`;
  const where = [`${index}_partition = ?`, "(expires IS NULL OR expires > ?)"];
  const values: Value[] = [partition, at];
  if (from !== undefined) {
    where.push(`${sort} >= ?`);
    values.push(from);
  }
  if (to !== undefined) {
    where.push(`${sort} <= ?`);
    values.push(to);
  }
  if (cursor !== undefined) {
    where.push(`${position} ${reverse ? "<" : ">"} (?, ?, ?)`);
    values.push(...readCursor(cursor));
  }
  const direction = reverse ? "DESC" : "ASC";
  const size = Math.min(Math.max(1, limit), 1000);
  // A row is quicker made of few columns.
  const columns = [...new Set(["main_partition", "main_sort", "version", "data", "expires", sort])];
  const rows = database.all(
    `SELECT ${columns.join(", ")} FROM item WHERE ${where.join(" AND ")}
     ORDER BY ${sort} ${direction}, main_partition ${direction}, main_sort ${direction} LIMIT ?`,
    ...values,
    size,
  );
  const last = rows.length === size ? rows.at(-1) : undefined;
  const items = rows.map((row) => toItem<T>(row));
  if (!last) return { rows, page: { items } };
  const next = makeCursor(last[sort], last["main_partition"], last["main_sort"]);
  return { rows, page: { items, cursor: next } };
}

/** Of all by what the index itself holds, without those that have expired: most often there are none of them. */
function countOf(
  database: Database,
  index: Index,
  partition: string,
  { from = "", to, at }: Pick<Range, "from" | "to"> & { at: number },
): number {
  const upTo = to === undefined ? [] : [to];
  const where = `${index}_partition = ? AND ${index}_sort >= ?${to === undefined ? "" : ` AND ${index}_sort <= ?`}`;
  const count = (which: string, ...more: Value[]): number =>
    Number(
      database.all(
        `SELECT COUNT(*) AS n FROM item ${which}`,
        partition,
        from,
        ...upTo,
        ...more,
      )[0]?.["n"],
    );
  return (
    count(`WHERE ${where}`) - count(`INDEXED BY item_expires WHERE ${where} AND expires <= ?`, at)
  );
}

/** By the primary key, so that rows written meanwhile don't shift the rest. */
const SCANNED_ITEMS = 200;
const SCANNED_CHARS = 1_000_000;

function scan(database: Database, cursor: string | undefined, at: number) {
  const [partition = "", sort = ""] = cursor === undefined ? [] : readCursor(cursor);
  const rows = database.all(
    `SELECT * FROM item WHERE (main_partition, main_sort) > (?, ?) AND (expires IS NULL OR expires > ?)
     ORDER BY main_partition, main_sort LIMIT ${SCANNED_ITEMS}`,
    partition,
    sort,
    at,
  );
  let chars = 0;
  const tooMuch = rows.findIndex((row) => (chars += String(row["data"]).length) > SCANNED_CHARS);
  const items = rows.slice(0, tooMuch === -1 ? undefined : Math.max(1, tooMuch)).map(toStored);
  const last =
    items.length < rows.length || rows.length === SCANNED_ITEMS ? items.at(-1) : undefined;
  if (!last) return { items };
  return { items, cursor: makeCursor(last.key.partition, last.key.sort, "") };
}

function toStored(row: Row): StoredItem {
  const keys: SecondaryKeys = {};
  for (const name of SECONDARY) {
    const partition = row[`${name}_partition`];
    const sort = row[`${name}_sort`];
    if (typeof partition === "string" && typeof sort === "string") keys[name] = { partition, sort };
  }
  const { key, version, data } = toItem<object>(row);
  const expires = row["expires"];
  return { key, version, data, keys, ...(expires === null ? {} : { expires: Number(expires) }) };
}

const makeCursor = (...parts: unknown[]): string =>
  Buffer.from(JSON.stringify(parts)).toString("base64url");

function readCursor(cursor: string): string[] {
  const parts: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString());
  if (!Array.isArray(parts)) throw new SyntaxError("no cursor of ours");
  return [String(parts[0]), String(parts[1]), String(parts[2])];
}

function toItem<T>(row: Row): Item<T> {
  return {
    key: { partition: String(row["main_partition"]), sort: String(row["main_sort"]) },
    version: Number(row["version"]),
    data: dataIn<T>(row),
  };
}

const dataIn = <T>(row: Row): T => JSON.parse(String(row["data"])) as T;
