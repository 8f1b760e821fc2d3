import { DynamoDBClient, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openTable, type AwsTable } from "../../control-plane/engines/aws/table.ts";
import { system } from "../../control-plane/node-system.ts";
import { TableConflict } from "../../control-plane/ports/table.ts";
import { Unavailable } from "../../control-plane/ports/unavailable.ts";
import { tableConformance } from "../conformance/table.ts";
import { startDynamoDb, type DynamoDb } from "../support/aws/dynamodb.ts";

let dynamodb: DynamoDb;
const opened: AwsTable[] = [];
beforeAll(async () => {
  dynamodb = await startDynamoDb();
});
afterAll(async () => {
  for (const table of opened) table.close();
  await dynamodb.close();
});

async function open(now: () => number = () => 1000): Promise<{ table: AwsTable; name: string }> {
  const name = await dynamodb.newTable();
  const table = openTable(
    {
      region: "us-east-1",
      table: name,
      bucket: "",
      passesQueueUrl: "",
      queuePrefix: "",
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
      endpoints: { dynamodb: dynamodb.endpoint },
    },
    { ...system, now },
  );
  opened.push(table);
  return { table, name };
}

describe("table in DynamoDB", () => {
  tableConformance(async (now) => (await open(now)).table);
});

describe("a fault of DynamoDB", () => {
  const key = (sort: string) => ({ partition: "p", sort });
  const put = (sort: string, n = 0) => ({ put: { key: key(sort), data: { n } } });
  let table: AwsTable;
  let name: string;
  beforeEach(async () => {
    dynamodb.clearFaults();
    ({ table, name } = await open());
  });

  test.each(["throttle", "error500", "reset"] as const)(
    "(%s) for a moment is not noticed",
    async (kind) => {
      for (const operation of [
        "PutItem",
        "GetItem",
        "TransactWriteItems",
        "Query",
        "BatchGetItem",
      ]) {
        dynamodb.fail({ operation, kind, times: 2 });
      }
      const keys = { i1: { partition: "list", sort: "a" } };
      await table.transact([{ put: { key: key("a"), data: {}, keys }, when: "absent" }]);
      await table.transact([put("b"), put("c")]);
      await table.transact([{ ...put("b"), when: { version: 1 } }]);
      expect(await table.get(key("a"))).toMatchObject({ version: 1 });
      expect((await table.query("main", "p")).items).toHaveLength(3);
      expect((await table.query("i1", "list")).items).toHaveLength(1);
    },
  );

  test("that lasts is `Unavailable`, and nothing was written", async () => {
    dynamodb.fail({ operation: "TransactWriteItems", kind: "throttle", times: 6 });
    await expect(table.transact([put("a"), put("b")])).rejects.toThrow(Unavailable);
    dynamodb.fail({ operation: "TransactWriteItems", kind: "error500", times: 6 });
    await expect(table.transact([{ ...put("c"), when: "absent" }])).rejects.toThrow(Unavailable);
    dynamodb.fail({ operation: "UpdateItem", kind: "error500", times: 6 });
    await expect(table.transact([put("d")])).rejects.toThrow(Unavailable);
    expect((await table.query("main", "p")).items).toEqual([]);
  });

  test("a lost answer is no conflict with oneself", async () => {
    for (const operation of ["PutItem", "TransactWriteItems"]) {
      dynamodb.fail({ operation, kind: "lostAnswer", times: 1 });
    }
    await table.transact([{ ...put("a", 1), when: "absent" }]);
    await table.transact([
      { ...put("a", 2), when: { version: 1 } },
      { ...put("b"), when: "absent" },
    ]);
    await table.transact([{ ...put("b", 5), when: { version: 1 } }]);
    expect(await table.get(key("a"))).toMatchObject({ version: 2, data: { n: 2 } });
    dynamodb.fail({ operation: "TransactWriteItems", kind: "lostAnswer", times: 1 });
    await table.transact([{ delete: key("a"), when: { version: 2 } }]);
    expect(await table.get(key("a"))).toBeUndefined();
  });

  test("what was made, and was written by others before its lost answer was asked for again, was made", async () => {
    dynamodb.fail({ operation: "TransactWriteItems", kind: "lostAnswer", times: 1 });
    const making = table.transact([{ ...put("a", 1), when: "absent" }]);
    while (!(await table.get(key("a")))) await Promise.resolve();
    await table.transact([{ ...put("a", 2), when: { version: 1 } }]);
    await making;
    expect(await table.get(key("a"))).toMatchObject({ version: 2, data: { n: 2 } });
  });

  test("a transaction that met another is tried again, then a conflict", async () => {
    dynamodb.fail({ operation: "TransactWriteItems", kind: "conflict", times: 3 });
    await table.transact([put("a"), put("b")]);
    dynamodb.fail({ operation: "TransactWriteItems", kind: "conflict", times: 6 });
    await expect(table.transact([put("c"), put("d")])).rejects.toThrow(TableConflict);
    expect(await table.get(key("c"))).toBeUndefined();
  });

  test("an item of a form that only a newer Pumice knows is refused, not misread", async () => {
    await table.transact([put("a")]);
    const client = new DynamoDBClient({
      region: "us-east-1",
      endpoint: dynamodb.endpoint,
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    });
    await client.send(
      new UpdateItemCommand({
        TableName: name,
        Key: { p: { S: "p" }, s: { S: "a" } },
        UpdateExpression: "SET f = :f",
        ExpressionAttributeValues: { ":f": { N: "2" } },
      }),
    );
    client.destroy();
    await expect(table.get(key("a"))).rejects.toThrow(/newer Pumice/);
  });
});
