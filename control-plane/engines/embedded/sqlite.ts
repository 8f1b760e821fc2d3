import { DatabaseSync, type StatementSync } from "node:sqlite";

export type Value = string | number | null | Uint8Array;
export type Row = Record<string, Value>;

/** The little of SQLite that the table needs; the one place that knows which runtime's SQLite it is. */
export interface Database {
  exec(sql: string): void;
  /** Prepared once per text. */
  run(sql: string, ...values: Value[]): void;
  all(sql: string, ...values: Value[]): Row[];
  close(): void;
}

/** Opens or makes a database file. A lock held elsewhere is an error of the first use at once, code `ERR_SQLITE_ERROR`, errcode 5. */
export function openDatabase(file: string): Database {
  const database = new DatabaseSync(file, { timeout: 0 });
  const statements = new Map<string, StatementSync>();
  const prepared = (sql: string): StatementSync => {
    let statement = statements.get(sql);
    if (!statement) statements.set(sql, (statement = database.prepare(sql)));
    return statement;
  };
  return {
    exec: (sql) => database.exec(sql),
    run: (sql, ...values) => void prepared(sql).run(...values),
    all: (sql, ...values) => prepared(sql).all(...values) as Row[],
    close: () => database.close(),
  };
}
