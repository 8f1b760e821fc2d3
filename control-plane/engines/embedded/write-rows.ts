import {
  MAX_ITEM_BYTES,
  TableConflict,
  type Condition,
  type Key,
  type NewItem,
  type Operation,
} from "../../ports/table.ts";
import type { KnownRow, ReadCache } from "./read-cache.ts";
import { find, SECONDARY } from "./read-rows.ts";
import type { Database, Row, Value } from "./sqlite.ts";

interface Applying {
  readonly at: number;
  /** Names of items of this transaction. */
  readonly touched: Set<string>;
  readonly cache: ReadCache;
  /** What is there when the transaction is. */
  readonly written: Map<Key, Written>;
}

/** Undefined where there is no such item any more. */
export type Written = Omit<KnownRow, "item"> | undefined;

/** Does one operation of a transaction; the bytes of data that were written. Throws `TableConflict`. */
export function apply(
  database: Database,
  operation: Operation,
  { at, touched, cache, written }: Applying,
): number {
  const key = keyOf(operation);
  const name = JSON.stringify([key.partition, key.sort]);
  if (touched.has(name)) throw new Error(`two operations of one transaction on ${name}`);
  touched.add(name);
  const known = cache.row(key, at);
  const isKnown = known !== undefined && (known.version === 0 || known.columns !== undefined);
  const row = isKnown ? known.columns : find(database, key, at, WRITTEN_COLUMNS);
  if (!holds(operation.when, row)) {
    throw new TableConflict(`${name} is not ${JSON.stringify(operation.when)}`);
  }
  if ("check" in operation) return 0;
  cache.forgetRow(key);
  cache.forgetPages(`main#${key.partition}`);
  const keys = "put" in operation ? operation.put.keys : undefined;
  for (const name of SECONDARY) {
    const before = row?.[`${name}_partition`];
    if (typeof before === "string") cache.forgetPages(`${name}#${before}`);
    if (keys?.[name]) cache.forgetPages(`${name}#${keys[name].partition}`);
  }
  if ("put" in operation) {
    const now = write(database, operation.put, row);
    // What is made anew is mostly of a history, of which nobody asks for one.
    if (known ?? row) written.set(key, now);
    return now.text.length;
  }
  written.set(key, undefined);
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

const INDEXED_COLUMNS = [
  ...SECONDARY.flatMap((name) => [`${name}_partition`, `${name}_sort`]),
  "expires",
];
const WRITTEN_COLUMNS = ["version", ...INDEXED_COLUMNS].join(", ");

/** What is there now. `before`: the row that it replaces. */
function write(database: Database, item: NewItem, before: Row | undefined): NonNullable<Written> {
  const { key, keys = {}, expires = null } = item;
  const text = encode(key, item.data);
  const values: Value[] = [
    ...SECONDARY.flatMap((name) => [keys[name]?.partition ?? null, keys[name]?.sort ?? null]),
    expires,
  ];
  const version = Number(before?.["version"] ?? 0) + 1;
  const columns: Row = { version };
  for (const [n, name] of INDEXED_COLUMNS.entries()) columns[name] = values[n]!;
  if (!before) {
    database.run(INSERT, key.partition, key.sort, version, text, ...values);
    return { version, text, columns, expires: item.expires };
  }
  // An index is written anew when one of its columns is named, be it with the same value.
  const changed = INDEXED_COLUMNS.flatMap((name, n) => (before[name] === values[n] ? [] : [n]));
  const set = ["version", "data", ...changed.map((n) => INDEXED_COLUMNS[n])].join(" = ?, ");
  database.run(
    `UPDATE item SET ${set} = ? WHERE main_partition = ? AND main_sort = ?`,
    ...[version, text, ...changed.map((n) => values[n]!), key.partition, key.sort],
  );
  return { version, text, columns, expires: item.expires };
}

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
