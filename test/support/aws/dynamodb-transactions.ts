import type { Attributes } from "./dynamodb-units.ts";

/** Makes one call of DynamoDB's JSON protocol; an answer other than 200 is thrown as a `Refusal`. */
export type Call = (operation: string, body: object) => Promise<Record<string, unknown>>;

export class Refusal extends Error {
  readonly status: number;
  readonly body: Record<string, unknown>;
  constructor(status: number, body: Record<string, unknown>) {
    super(JSON.stringify(body));
    this.status = status;
    this.body = body;
  }
}

type Step = Record<string, unknown> & {
  TableName: string;
  Key?: Attributes;
  Item?: Attributes;
  ConditionExpression?: string;
};
type TransactItem = Record<string, Step>;
interface TransactRequest {
  TransactItems: TransactItem[];
  ClientRequestToken?: string;
}

const TOKEN_MS = 10 * 60 * 1000;

/**
 * TransactWriteItems over an emulator that has none: each item's own conditional write, in turn, undone backwards
 * when one fails. The caller lets nothing else in between.
 */
export function createTransactions(call: Call, now: () => number) {
  const done = new Map<string, { request: string; at: number }>();
  /** `written` hears of each item before and after. */
  return async (
    request: TransactRequest,
    written: (before: Attributes | undefined, after: Attributes | undefined) => void,
  ): Promise<object> => {
    validate(request);
    const { ClientRequestToken: token } = request;
    for (const [old, { at }] of done) if (now() - at > TOKEN_MS) done.delete(old);
    const text = JSON.stringify(request.TransactItems);
    const earlier = token === undefined ? undefined : done.get(token);
    if (earlier) {
      if (earlier.request === text) return {};
      throw refusal(
        "IdempotentParameterMismatchException",
        "the token was used for another request",
      );
    }
    await writeAll(call, request.TransactItems, written);
    if (token !== undefined) done.set(token, { request: text, at: now() });
    return {};
  };
}

async function writeAll(
  call: Call,
  items: TransactItem[],
  written: (before: Attributes | undefined, after: Attributes | undefined) => void,
): Promise<void> {
  const undo: (() => Promise<unknown>)[] = [];
  const changes: [Attributes | undefined, Attributes | undefined][] = [];
  for (const [index, item] of items.entries()) {
    const [[kind, step] = fail("an empty transact item")] = Object.entries(item);
    const key = step.Key ?? keyOf(step.Item ?? {});
    const before = await read(call, step.TableName, key);
    try {
      if (kind === "ConditionCheck") await check(call, step, key, before);
      else await call(`${kind}Item`, step);
    } catch (error) {
      for (const step of undo.toReversed()) await step();
      if (!(error instanceof Refusal) || !isConditional(error)) throw error;
      throw cancelled(items.length, index);
    }
    if (kind === "ConditionCheck") {
      changes.push([before, before]);
      continue;
    }
    undo.push(() => restore(call, step.TableName, key, before));
    // Only an update makes another item than it names.
    changes.push([before, kind === "Update" ? await read(call, step.TableName, key) : step.Item]);
  }
  for (const [before, after] of changes) written(before, after);
}

/** Writes what is there already under the condition. */
async function check(
  call: Call,
  { TableName, ...step }: Step,
  key: Attributes,
  before: Attributes | undefined,
): Promise<void> {
  const { Key: _, ...condition } = step;
  await call("PutItem", { TableName, Item: before ?? key, ...condition });
  if (!before) await call("DeleteItem", { TableName, Key: key });
}

const restore = (call: Call, TableName: string, key: Attributes, before: Attributes | undefined) =>
  before
    ? call("PutItem", { TableName, Item: before })
    : call("DeleteItem", { TableName, Key: key });

export async function read(
  call: Call,
  TableName: string,
  Key: Attributes,
): Promise<Attributes | undefined> {
  const { Item } = await call("GetItem", { TableName, Key, ConsistentRead: true });
  return Item as Attributes | undefined;
}

const keyOf = (item: Attributes): Attributes => ({ p: item["p"] ?? {}, s: item["s"] ?? {} });

function validate({ TransactItems }: TransactRequest): void {
  if (TransactItems.length < 1 || TransactItems.length > 100) {
    throw refusal(
      "ValidationException",
      "Member must have length less than or equal to 100 and at least 1",
    );
  }
  const names = TransactItems.map((item) => {
    const [step] = Object.values(item);
    const { p, s } = step?.Key ?? step?.Item ?? {};
    return JSON.stringify([step?.TableName, p, s]);
  });
  if (new Set(names).size < names.length) {
    throw refusal(
      "ValidationException",
      "Transaction request cannot include multiple operations on one item",
    );
  }
  if (JSON.stringify(TransactItems).length > 4 * 1024 * 1024) {
    throw refusal("ValidationException", "Collection size exceeds 4 MB");
  }
}

const isConditional = ({ body }: Refusal): boolean =>
  String(body["__type"]).endsWith("ConditionalCheckFailedException");

/** As DynamoDB answers when the condition of the item at `index` does not hold, or for another reason. */
export function cancelled(count: number, index: number, code = "ConditionalCheckFailed"): Refusal {
  const reasons = Array.from({ length: count }, (_, n) =>
    n === index ? { Code: code, Message: "The conditional request failed" } : { Code: "None" },
  );
  const codes = reasons.map(({ Code }) => Code).join(", ");
  return refusal(
    "TransactionCanceledException",
    `Transaction cancelled, please refer cancellation reasons for specific reasons [${codes}]`,
    { CancellationReasons: reasons },
  );
}

export const refusal = (type: string, message: string, more: object = {}, status = 400): Refusal =>
  new Refusal(status, {
    __type: `com.amazonaws.dynamodb.v20120810#${type}`,
    message,
    ...(type === "TransactionCanceledException" ? { Message: message } : {}),
    ...more,
  });

function fail(message: string): never {
  throw refusal("ValidationException", message);
}
