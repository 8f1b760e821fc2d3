import {
  BatchGetItemCommand,
  QueryCommand,
  ScanCommand,
  type BatchGetItemCommandOutput,
  type DynamoDBClient,
} from "@aws-sdk/client-dynamodb";
import type { System } from "../../ports/system.ts";
import type { Index, Key, Page, Range } from "../../ports/table.ts";
import { Unavailable } from "../../ports/unavailable.ts";
import { pause } from "./pause.ts";
import {
  canBeKey,
  indexName,
  isExpired,
  isItem,
  keyAttributes,
  keyNames,
  toItem,
  toStoredItem,
  type Attributes,
} from "./stored-item.ts";

const BATCH_KEYS = 100;
const FIRST_PAUSE_MS = 20;

/** A table and how to reach it. */
export interface Context {
  readonly client: DynamoDBClient;
  readonly name: string;
  readonly system: Pick<System, "now" | "id">;
}

/** Throws the SDK's errors. */
export async function query<T>(
  context: Context,
  index: Index,
  partition: string,
  { from, to, reverse = false, limit = 100, cursor }: Range = {},
): Promise<Page<T>> {
  if (!canBeKey(partition)) return { items: [] };
  const { p, s } = keyNames(index);
  const values: Attributes = { ":p": { S: partition } };
  if (from !== undefined) values[":from"] = { S: from };
  if (to !== undefined) values[":to"] = { S: to };
  // DynamoDB refuses a range that is upside down; it is empty.
  if (from !== undefined && to !== undefined && Buffer.from(from).compare(Buffer.from(to)) > 0) {
    return { items: [] };
  }
  const { Items = [], LastEvaluatedKey } = await context.client.send(
    new QueryCommand({
      TableName: context.name,
      ...(index === "main" ? { ConsistentRead: true } : { IndexName: indexName(index) }),
      KeyConditionExpression: `#p = :p${rangeExpression(from, to)}`,
      ExpressionAttributeNames: {
        "#p": p,
        ...(from === undefined && to === undefined ? {} : { "#s": s }),
      },
      ExpressionAttributeValues: values,
      ScanIndexForward: !reverse,
      Limit: Math.min(Math.max(1, limit), 1000),
      ...(cursor === undefined ? {} : { ExclusiveStartKey: readCursor(cursor, index, partition) }),
    }),
  );
  const now = context.system.now();
  const found = index === "main" ? Items : await itemsOf(context, index, Items);
  const items = found.filter((item) => !isExpired(item, now)).map((item) => toItem<T>(item));
  if (!LastEvaluatedKey) return { items };
  const position = [LastEvaluatedKey[s]?.S, LastEvaluatedKey["p"]?.S, LastEvaluatedKey["s"]?.S];
  return { items, cursor: Buffer.from(JSON.stringify(position)).toString("base64url") };
}

/** The indexes hold keys only, which don't say what has expired: the items are read. */
export async function countOf(
  context: Context,
  index: Index,
  partition: string,
  range: Pick<Range, "from" | "to"> = {},
): Promise<number> {
  let count = 0;
  let cursor: string | undefined;
  do {
    const at = cursor === undefined ? {} : { cursor };
    const page = await query(context, index, partition, { ...range, limit: 1000, ...at });
    count += page.items.length;
    ({ cursor } = page);
  } while (cursor !== undefined);
  return count;
}

function rangeExpression(from: string | undefined, to: string | undefined): string {
  if (from !== undefined && to !== undefined) return " AND #s BETWEEN :from AND :to";
  if (from !== undefined) return " AND #s >= :from";
  return to === undefined ? "" : " AND #s <= :to";
}

function readCursor(cursor: string, index: Index, partition: string): Attributes {
  const parts: unknown = JSON.parse(decode(cursor));
  if (!Array.isArray(parts)) throw noCursor();
  const names = keyNames(index);
  return {
    [names.p]: { S: partition },
    [names.s]: { S: String(parts[0]) },
    p: { S: String(parts[1]) },
    s: { S: String(parts[2]) },
  };
}

/** The items whose keys an index gave, in its order; those that have left their place meanwhile are left out. */
async function itemsOf(context: Context, index: Index, keys: Attributes[]): Promise<Attributes[]> {
  const { p, s } = keyNames(index);
  const found = new Map<string, Attributes>();
  const batches: Attributes[][] = [];
  for (let at = 0; at < keys.length; at += BATCH_KEYS) {
    batches.push(keys.slice(at, at + BATCH_KEYS).map(({ p, s }) => ({ p: p!, s: s! })));
  }
  await Promise.all(
    batches.map(async (batch) => {
      for (const item of await batchGet(context, batch)) found.set(nameOf(item), item);
    }),
  );
  return keys.flatMap((key) => {
    const item = found.get(nameOf(key));
    return item && item[p]?.S === key[p]?.S && item[s]?.S === key[s]?.S ? [item] : [];
  });
}

const nameOf = ({ p, s }: Attributes): string => JSON.stringify([p?.S, s?.S]);

/** What DynamoDB leaves unprocessed, because it is large or throttled, is asked for again. */
async function batchGet({ client, name }: Context, keys: Attributes[]): Promise<Attributes[]> {
  const items: Attributes[] = [];
  let left: Attributes[] | undefined = keys;
  for (let attempt = 0; left && left.length > 0; attempt++) {
    if (attempt > 10) throw new Unavailable("DynamoDB leaves reads unprocessed");
    if (attempt > 0)
      await pause(FIRST_PAUSE_MS * 2 ** Math.min(attempt, 6) * (0.5 + Math.random()));
    const answer: BatchGetItemCommandOutput = await client.send(
      new BatchGetItemCommand({ RequestItems: { [name]: { Keys: left } } }),
    );
    const got: Attributes[] = answer.Responses?.[name] ?? [];
    items.push(...got);
    // Large items come in several answers: that is progress, not trouble.
    if (got.length > 0) attempt = 0;
    left = answer.UnprocessedKeys?.[name]?.Keys;
  }
  return items;
}

export async function scan(context: Context, cursor: string | undefined) {
  const { Items = [], LastEvaluatedKey } = await context.client.send(
    new ScanCommand({
      TableName: context.name,
      ConsistentRead: true,
      Limit: 200,
      ...(cursor === undefined ? {} : { ExclusiveStartKey: keyAttributes(keyIn(cursor)) }),
    }),
  );
  const now = context.system.now();
  const items = Items.filter((item) => isItem(item) && !isExpired(item, now)).map(toStoredItem);
  if (!LastEvaluatedKey) return { items };
  const next: Key = {
    partition: LastEvaluatedKey["p"]?.S ?? "",
    sort: LastEvaluatedKey["s"]?.S ?? "",
  };
  return { items, cursor: Buffer.from(JSON.stringify(next)).toString("base64url") };
}

function keyIn(cursor: string): Key {
  const key = JSON.parse(decode(cursor)) as Partial<Key> | null;
  if (!key?.partition || !key.sort) throw noCursor();
  return { partition: String(key.partition), sort: String(key.sort) };
}

const decode = (cursor: string): string => Buffer.from(cursor, "base64url").toString();
const noCursor = () => new SyntaxError("no cursor of ours");
