import {
  DeleteItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
  type TransactionCanceledException,
} from "@aws-sdk/client-dynamodb";
import type { System } from "../../ports/system.ts";
import { TableConflict, type Key, type Operation, type Table } from "../../ports/table.ts";
import { Unavailable } from "../../ports/unavailable.ts";
import { attemptsOf, isThrottling, translated } from "./failures.ts";
import { pause } from "./pause.ts";
import { clientOptions, type AwsPlace } from "./place.ts";
import { type Attributes, canBeKey, isExpired, keyAttributes, toItem } from "./stored-item.ts";
import { countOf, query, scan, type Context } from "./table-read.ts";
import { toWrites, type Write } from "./table-write.ts";

export interface AwsTable extends Table {
  close(): void;
}

/** How often a transaction is tried that was cancelled only because others were in its way. */
const TRANSACTION_ATTEMPTS = 6;
const FIRST_PAUSE_MS = 20;

/**
 * The table in DynamoDB. Indexes hold keys only: an item is written once wherever it is listed, and a list reads
 * the items beside it (reads are a fifth of the price of writes).
 */
export function openTable(place: AwsPlace, system: Pick<System, "now" | "id">): AwsTable {
  const client = new DynamoDBClient(clientOptions(place, place.endpoints?.dynamodb));
  const context: Context = { client, name: place.table, system };
  return {
    get: (key) => named(() => get(context, key)),
    query: (index, partition, range) => named(() => query(context, index, partition, range)),
    count: (index, partition, range) => named(() => countOf(context, index, partition, range)),
    transact: (operations) =>
      named(async () => {
        const writeId = system.id();
        const writes = toWrites(place.table, operations, system.now(), writeId);
        const [only] = writes;
        if (!only) return;
        const isAlone = writes.length === 1 && operations.every(canBeSentTwice);
        if (isAlone) await writeOne(context, only, writeId);
        else await writeAll(context, writes, writeId);
      }),
    counter: (name) => named(() => count(context, name)),
    raiseCounter: (name, value) => named(() => raise(context, name, value)),
    scan: (cursor) => named(() => scan(context, cursor)),
    close: () => client.destroy(),
  };
}

async function named<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw translated("DynamoDB", error);
  }
}

async function getAttributes({ client, name }: Context, key: Key): Promise<Attributes | undefined> {
  // DynamoDB refuses to look: a name out of a request may be of any length.
  if (!canBeKey(key.partition, key.sort)) return undefined;
  const { Item } = await client.send(
    new GetItemCommand({ TableName: name, Key: keyAttributes(key), ConsistentRead: true }),
  );
  return Item;
}

async function get<T>(context: Context, key: Key) {
  const found = await getAttributes(context, key);
  return found && !isExpired(found, context.system.now()) ? toItem<T>(found) : undefined;
}

/**
 * Whether an operation that is sent again, because its first answer was lost, knows its own work or can do no harm. What
 * makes or deletes an item conditionally can't: somebody else may have written it since. A put under a version can, but
 * for one that was overwritten meanwhile: that is a conflict, and whoever meets one looks again.
 */
const canBeSentTwice = (operation: Operation): boolean =>
  "put" in operation
    ? operation.when !== "absent"
    : "delete" in operation && operation.when === undefined;

/** Half the price of a transaction of one. */
async function writeOne(context: Context, write: Write, writeId: string): Promise<void> {
  try {
    const { Put, Update, Delete } = write.item;
    if (Put) await context.client.send(new PutItemCommand(Put));
    else if (Update) {
      // An update without a condition that is sent twice counts the version twice: allowed, it only grows.
      await context.client.send(new UpdateItemCommand(Update));
    } else if (Delete) await context.client.send(new DeleteItemCommand(Delete));
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "ConditionalCheckFailedException") throw error;
    // The answer to the first attempt may have been lost after it had been done.
    if (attemptsOf(error) > 1) {
      const found = await getAttributes(context, write.key);
      if (found?.["w"]?.S === writeId) return;
    }
    throw conflict(write);
  }
}

/** The client token makes a transaction that is sent twice happen once. */
async function writeAll(context: Context, writes: Write[], token: string): Promise<void> {
  const command = new TransactWriteItemsCommand({
    TransactItems: writes.map(({ item }) => item),
    ClientRequestToken: token,
  });
  for (let attempt = 1; ; attempt++) {
    try {
      await context.client.send(command);
      return;
    } catch (error) {
      if (!(error instanceof Error) || error.name !== "TransactionCanceledException") throw error;
      const reasons = (error as TransactionCanceledException).CancellationReasons ?? [];
      const failed = reasons.findIndex(({ Code }) => Code === "ConditionalCheckFailed");
      if (failed !== -1) throw conflict(writes[failed]);
      const odd = reasons.find(({ Code }) => !isPassing(Code));
      if (odd) throw new Error(`DynamoDB refused a transaction: ${odd.Code}: ${odd.Message}`);
      if (attempt === TRANSACTION_ATTEMPTS) {
        if (reasons.some(({ Code }) => Code === "TransactionConflict")) throw conflict(undefined);
        throw new Unavailable("DynamoDB throttles transactions", { cause: error });
      }
      await pause(FIRST_PAUSE_MS * 2 ** attempt * (0.5 + Math.random()));
    }
  }
}

const isPassing = (code: string | undefined): boolean =>
  code === undefined || code === "None" || code === "TransactionConflict" || isThrottling(code);

const conflict = (write: Write | undefined): TableConflict =>
  new TableConflict(
    write
      ? `${JSON.stringify(write.key)} is not as its condition says`
      : "other transactions were in the way",
  );

const counterKey = (name: string): Key => ({ partition: `counter#${name}`, sort: "counter" });

async function count({ client, name: TableName }: Context, name: string): Promise<number> {
  const { Attributes: after } = await client.send(
    new UpdateItemCommand({
      TableName,
      Key: keyAttributes(counterKey(name)),
      UpdateExpression: "ADD #n :1",
      ExpressionAttributeNames: { "#n": "n" },
      ExpressionAttributeValues: { ":1": { N: "1" } },
      ReturnValues: "UPDATED_NEW",
    }),
  );
  return Number(after?.["n"]?.N);
}

async function raise(
  { client, name: TableName }: Context,
  name: string,
  value: number,
): Promise<void> {
  try {
    await client.send(
      new UpdateItemCommand({
        TableName,
        Key: keyAttributes(counterKey(name)),
        UpdateExpression: "SET #n = :n",
        ConditionExpression: "attribute_not_exists(#n) OR #n < :n",
        ExpressionAttributeNames: { "#n": "n" },
        ExpressionAttributeValues: { ":n": { N: String(value) } },
      }),
    );
  } catch (error) {
    if ((error as Error).name !== "ConditionalCheckFailedException") throw error;
  }
}
