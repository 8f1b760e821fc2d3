import {
  MAX_ITEM_BYTES,
  TableConflict,
  type Condition,
  type Key,
  type NewItem,
  type Operation,
} from "../../ports/table.ts";
import type { ReadCache } from "./read-cache.ts";
import { find, SECONDARY } from "./read-rows.ts";
import type { Database, Row, Value } from "./sqlite.ts";

interface Applying {
  readonly at: number;
  /** Names of items of this transaction. */
  readonly touched: Set<string>;
  readonly cache: ReadCache;
}

/** Does one operation of a transaction; the bytes of data that were written. Throws `TableConflict`. */
export function apply(
  database: Database,
  operation: Operation,
  { at, touched, cache }: Applying,
): number {
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

const INDEXED_COLUMNS = [
  ...SECONDARY.flatMap((name) => [`${name}_partition`, `${name}_sort`]),
  "expires",
];
const WRITTEN_COLUMNS = ["version", ...INDEXED_COLUMNS].join(", ");

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
