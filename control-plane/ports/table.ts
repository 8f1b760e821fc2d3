/** Name of an item: items of one partition are ordered by `sort`, both compared as UTF-8 bytes. */
export interface Key {
  readonly partition: string;
  readonly sort: string;
}

/** The item's own keys, or one of the four secondary ones; an item without such a key is not in that index. */
export type Index = "main" | "i1" | "i2" | "i3" | "i4";
export type SecondaryKeys = Partial<Record<Exclude<Index, "main">, Key>>;

/** What is written: JSON data of at most 400 KB. */
export interface NewItem {
  readonly key: Key;
  readonly data: object;
  readonly keys?: SecondaryKeys;
  /** Milliseconds since 1970; from then on the item is absent for every reader and writer. */
  readonly expires?: number;
}

/**
 * What is read. `version` grows by one with every write; an item made anew starts at 1 (one that is written over an
 * expired one may go on counting).
 */
export interface Item<T> {
  readonly key: Key;
  readonly version: number;
  readonly data: T;
}

/** `absent`: there is no such item; a number: the item is there with this version. */
export type Condition = "absent" | { readonly version: number };

/**
 * One step of a transaction. `put` writes the whole item; `delete` of an absent item without a condition is
 * no error.
 */
export type Operation =
  | { readonly put: NewItem; readonly when?: Condition }
  | { readonly delete: Key; readonly when?: Condition }
  | { readonly check: Key; readonly when: Condition };

export interface Range {
  /** Bounds of the sort key, both inclusive. */
  readonly from?: string;
  readonly to?: string;
  /** Highest sort key first. */
  readonly reverse?: boolean;
  /** At most this many items; the engine may return fewer and a cursor. Default 100, at most 1000. */
  readonly limit?: number;
  /** `cursor` of the page before; the other arguments must be the same. */
  readonly cursor?: string;
}

export interface Page<T> {
  readonly items: Item<T>[];
  /** Present when there may be more. */
  readonly cursor?: string;
}

/** All of an item, for a backup. */
export interface StoredItem extends NewItem {
  readonly version: number;
}

/** A transaction is at most this long (DynamoDB TransactWriteItems). */
export const MAX_OPERATIONS = 100;
/** And its items' data together at most this large (DynamoDB's 4 MB, less room for keys). */
export const MAX_TRANSACTION_BYTES = 3_900_000;
/** An item's data is at most this long as JSON (DynamoDB's 400 KB, less room for keys). */
export const MAX_ITEM_BYTES = 390 * 1024;

/**
 * The truth of the lab. Calls may run concurrently. `get` and a query of `main` see every transaction
 * that ended before; the other indexes may lag, so what they say is checked again by the version of a write.
 */
export interface Table {
  get<T>(key: Key): Promise<Item<T> | undefined>;
  query<T>(index: Index, partition: string, range?: Range): Promise<Page<T>>;
  /** How many items a query without a limit would give. May cost what reading them does. */
  count(index: Index, partition: string, range?: Pick<Range, "from" | "to">): Promise<number>;
  /**
   * All operations or none, each on an item of its own. Throws `TableConflict` when a condition does not
   * hold or another transaction is in the way: nothing was written, read again and decide again.
   */
  transact(operations: readonly Operation[]): Promise<void>;
  /** The next integer of this name, from 1; never the same twice, gaps are possible. */
  counter(name: string): Promise<number>;
  /** Makes the next integer of this name larger than `value`; a counter never goes back. */
  raiseCounter(name: string, value: number): Promise<void>;
  /**
   * Every item once, in no order, expired ones left out; items that are written meanwhile may be read before or
   * after. For backups: it reads the whole table. A page has about 1 MB at most.
   */
  scan(cursor?: string): Promise<{ items: StoredItem[]; cursor?: string }>;
}

/** A transaction's condition did not hold, so nothing of it was written. */
export class TableConflict extends Error {
  override readonly name = "TableConflict";
}
