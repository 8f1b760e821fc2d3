import type { TransactWriteItem } from "@aws-sdk/client-dynamodb";
import {
  MAX_OPERATIONS,
  MAX_TRANSACTION_BYTES,
  type Condition,
  type Key,
  type Operation,
} from "../../ports/table.ts";
import {
  absentAttributes,
  contentAttributes,
  dataBytes,
  keyAttributes,
  type Attributes,
} from "./stored-item.ts";

export interface Write {
  readonly key: Key;
  /** The operation as DynamoDB's; exactly one of Put, Update, Delete, ConditionCheck. */
  readonly item: TransactWriteItem;
}

/** Throws when the transaction is not one: too long, too large, an item twice. */
export function toWrites(
  table: string,
  operations: readonly Operation[],
  now: number,
  writeId: string,
): Write[] {
  if (operations.length > MAX_OPERATIONS) {
    throw new Error(
      `a transaction has at most ${MAX_OPERATIONS} operations, not ${operations.length}`,
    );
  }
  const touched = new Set<string>();
  let bytes = 0;
  return operations.map((operation) => {
    const key = keyOf(operation);
    const name = JSON.stringify([key.partition, key.sort]);
    if (touched.has(name)) throw new Error(`two operations of one transaction on ${name}`);
    touched.add(name);
    if ("put" in operation) bytes += dataBytes(operation.put);
    if (bytes > MAX_TRANSACTION_BYTES) {
      throw new Error(`a transaction has at most ${MAX_TRANSACTION_BYTES} bytes`);
    }
    return { key, item: toWrite(table, operation, now, writeId) };
  });
}

function toWrite(
  TableName: string,
  operation: Operation,
  now: number,
  writeId: string,
): TransactWriteItem {
  if ("put" in operation) {
    const { put, when } = operation;
    const content = contentAttributes(put, writeId);
    if (when === undefined) {
      const { expression, values } = counting(content);
      return {
        Update: {
          TableName,
          Key: keyAttributes(put.key),
          UpdateExpression: expression.text,
          ExpressionAttributeNames: expression.names,
          ExpressionAttributeValues: values,
        },
      };
    }
    const version = when === "absent" ? 1 : when.version + 1;
    const Item = { ...keyAttributes(put.key), v: { N: String(version) }, ...content };
    return { Put: { TableName, Item, ...conditionOf(when, now) } };
  }
  if ("delete" in operation) {
    const { delete: key, when } = operation;
    return { Delete: { TableName, Key: keyAttributes(key), ...(when && conditionOf(when, now)) } };
  }
  const { check: key, when } = operation;
  return { ConditionCheck: { TableName, Key: keyAttributes(key), ...conditionOf(when, now) } };
}

/** A put whatever was there before: as an update, because only that can count the version on. */
function counting(content: Attributes) {
  const names: Record<string, string> = { "#v": "v" };
  const values: Attributes = { ":0": { N: "0" }, ":1": { N: "1" } };
  const sets = ["#v = if_not_exists(#v, :0) + :1"];
  for (const [name, value] of Object.entries(content)) {
    names[`#${name}`] = name;
    values[`:${name}`] = value;
    sets.push(`#${name} = :${name}`);
  }
  const removes = absentAttributes(content).map((name) => {
    names[`#${name}`] = name;
    return `#${name}`;
  });
  const remove = removes.length === 0 ? "" : ` REMOVE ${removes.join(", ")}`;
  return { expression: { text: `SET ${sets.join(", ")}${remove}`, names }, values };
}

/** What has expired counts as absent, although DynamoDB deletes it later. */
function conditionOf(when: Condition, now: number) {
  if (when === "absent") {
    return {
      ConditionExpression: "attribute_not_exists(#p) OR #x <= :now",
      ExpressionAttributeNames: { "#p": "p", "#x": "x" },
      ExpressionAttributeValues: { ":now": { N: String(now) } },
    };
  }
  return {
    ConditionExpression: "#v = :v AND (attribute_not_exists(#x) OR #x > :now)",
    ExpressionAttributeNames: { "#v": "v", "#x": "x" },
    ExpressionAttributeValues: { ":v": { N: String(when.version) }, ":now": { N: String(now) } },
  };
}

function keyOf(operation: Operation): Key {
  if ("put" in operation) return operation.put.key;
  return "delete" in operation ? operation.delete : operation.check;
}
