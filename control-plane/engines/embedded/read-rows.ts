import type {
  Index,
  Item,
  Key,
  Page,
  Range,
  SecondaryKeys,
  StoredItem,
} from "../../ports/table.ts";
import type { Database, Row, Value } from "./sqlite.ts";

/** Reading of the table's rows; what has expired by `at` is not there. */

export const SECONDARY = ["i1", "i2", "i3", "i4"] as const;

/** SQLite looks at a limit that is bound as it is when it plans, and plans anew each time that it is bound: four times the cost of a small query. */
const LIMIT = "? + 0";

const READ_COLUMNS = "version, data, expires";

export function find(
  database: Database,
  key: Key,
  at: number,
  columns = READ_COLUMNS,
): Row | undefined {
  const [row] = database.all(
    `SELECT ${columns} FROM item WHERE main_partition = ? AND main_sort = ?
       AND (expires IS NULL OR expires > ?)`,
    key.partition,
    key.sort,
    at,
  );
  return row;
}

export const isEmpty = (database: Database, index: Index, partition: string): boolean =>
  database.all(`SELECT 1 FROM item WHERE ${index}_partition = ? LIMIT 1`, partition).length === 0;

export function query<T>(
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
     ORDER BY ${sort} ${direction}, main_partition ${direction}, main_sort ${direction} LIMIT ${LIMIT}`,
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
export function countOf(
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

export function scan(database: Database, cursor: string | undefined, at: number) {
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
