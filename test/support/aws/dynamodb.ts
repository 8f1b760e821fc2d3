import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import dynalite from "dynalite";
import { createTransactions, read, Refusal, refusal, type Call } from "./dynamodb-transactions.ts";
import {
  INDEXES,
  indexWriteUnits,
  itemBytes,
  readUnits,
  writeUnits,
  type Attributes,
  type Units,
} from "./dynamodb-units.ts";

/**
 * What goes wrong with the next calls of an operation: `throttle` and `error500` are answers, `reset` cuts the
 * connection before anything was done, `lostAnswer` afterwards, `conflict` cancels a transaction as one in the way.
 */
export interface Fault {
  readonly operation: string;
  readonly kind: "throttle" | "error500" | "reset" | "lostAnswer" | "conflict";
  readonly times: number;
}

export interface DynamoDb {
  readonly endpoint: string;
  readonly table: string;
  /** Makes another empty table of the same form, for a test of its own. */
  newTable(): Promise<string>;
  /** Since the start or the last `reset`. */
  readonly meter: { read(): Units & { calls: Record<string, number> }; reset(): void };
  fail(fault: Fault): void;
  /** Faults that have not struck yet don't any more. */
  clearFaults(): void;
  /** Hears of each call before it is done. */
  watch(listener: ((operation: string, body: object) => void) | undefined): void;
  /** The table's stream: hears of each item that was written, as it was and as it is, in the order of writes. */
  stream(listener: ItemListener | undefined): void;
  close(): Promise<void>;
}

export type ItemListener = (before: Attributes | undefined, after: Attributes | undefined) => void;

interface Handling {
  readonly call: Call;
  /** Hears of what was written. */
  written: ItemListener | undefined;
  readonly transact: ReturnType<typeof createTransactions> | undefined;
  readonly units: Units & { calls: Record<string, number> };
}

/** Table of a lab as infra/template.yaml makes it. */
const tableDefinition = (TableName: string) => ({
  TableName,
  BillingMode: "PAY_PER_REQUEST",
  AttributeDefinitions: ["p", "s", ...INDEXES.flatMap((name) => [`${name}p`, `${name}s`])].map(
    (AttributeName) => ({ AttributeName, AttributeType: "S" }),
  ),
  KeySchema: keySchema("p", "s"),
  GlobalSecondaryIndexes: INDEXES.map((name) => ({
    IndexName: `by-${name}`,
    KeySchema: keySchema(`${name}p`, `${name}s`),
    Projection: { ProjectionType: "KEYS_ONLY" },
  })),
});
const keySchema = (hash: string, range: string) => [
  { AttributeName: hash, KeyType: "HASH" },
  { AttributeName: range, KeyType: "RANGE" },
];

/**
 * DynamoDB for tests, with one lab's table: dynalite, with transactions and a meter of request units before it; AWS's
 * DynamoDB Local in its place where `PUMICE_DYNAMODB_LOCAL_JAR` names its jar (it listens on all interfaces).
 */
export async function startDynamoDb({ now = Date.now } = {}): Promise<DynamoDb> {
  const jar = process.env["PUMICE_DYNAMODB_LOCAL_JAR"];
  const { call, ...backend } = jar ? await startDynamoDbLocal(jar) : makeDynalite();
  const units = { reads: 0, writes: 0, indexWrites: 0, calls: {} as Record<string, number> };
  const handling: Handling = {
    call,
    written: undefined,
    units,
    transact: jar ? undefined : createTransactions(call, now),
  };
  const faults: { operation: string; kind: Fault["kind"]; times: number }[] = [];
  let watcher: ((operation: string, body: object) => void) | undefined;
  // One at a time: nobody sees half a transaction.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = last.then(work);
    last = result.catch(() => {});
    return result;
  };

  const server = http.createServer((request, response) => {
    void (async () => {
      const operation = String(request.headers["x-amz-target"]).split(".")[1] ?? "";
      const body = JSON.parse(await textOf(request)) as Record<string, unknown>;
      watcher?.(operation, body);
      const fault = faults.find((one) => one.operation === operation && one.times > 0);
      if (fault) fault.times--;
      try {
        if (fault && fault.kind !== "lostAnswer") throw failure(fault.kind, body);
        const answer = await inTurn(() => handle(handling, operation, body));
        if (fault) throw new Cut();
        send(response, 200, answer);
      } catch (error) {
        if (error instanceof Refusal) send(response, error.status, error.body);
        else if (error instanceof Cut) request.socket.destroy();
        else send(response, 500, { message: String(error) });
      }
    })();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  let tables = 0;
  const newTable = async (): Promise<string> => {
    const name = `pumice-test-${++tables}`;
    await call("CreateTable", tableDefinition(name));
    await untilActive(call, name);
    return name;
  };
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    table: await newTable(),
    newTable,
    meter: {
      read: () => ({ ...units, calls: { ...units.calls } }),
      reset: () => void Object.assign(units, { reads: 0, writes: 0, indexWrites: 0, calls: {} }),
    },
    fail: (fault) => void faults.push({ ...fault }),
    clearFaults: () => void faults.splice(0),
    watch: (listener) => void (watcher = listener),
    stream: (listener) => void (handling.written = listener),
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
      await backend.close();
    },
  };
}

class Cut extends Error {}

function failure(kind: Fault["kind"], body: Record<string, unknown>): Error {
  if (kind === "reset") return new Cut();
  if (kind === "error500") return refusal("InternalServerError", "injected", {}, 500);
  const { TransactItems } = body as { TransactItems?: unknown[] };
  if (kind === "conflict" || TransactItems) {
    const code = kind === "conflict" ? "TransactionConflict" : "ThrottlingError";
    const CancellationReasons = (TransactItems ?? []).map((_, n) =>
      n === 0 ? { Code: code, Message: "injected" } : { Code: "None" },
    );
    return refusal("TransactionCanceledException", "injected", { CancellationReasons });
  }
  return refusal("ProvisionedThroughputExceededException", "injected");
}

async function handle(
  { call, transact, units, written }: Handling,
  operation: string,
  body: Record<string, unknown>,
): Promise<object> {
  units.calls[operation] = (units.calls[operation] ?? 0) + 1;
  const wrote = (factor: number) => (before?: Attributes, after?: Attributes) => {
    units.writes += factor * writeUnits(before, after);
    units.indexWrites += indexWriteUnits(before, after);
    if (before !== after) written?.(before, after);
  };
  if (operation === "TransactWriteItems" && transact) {
    return transact(body as unknown as Parameters<typeof transact>[0], wrote(2));
  }
  if (/^(Put|Update|Delete)Item$/.test(operation)) return write(call, operation, body, wrote(1));
  const answer = await call(operation, body);
  units.reads += readUnitsOf(operation, body, answer);
  return answer;
}

async function write(
  call: Call,
  operation: string,
  body: Record<string, unknown>,
  wrote: (before?: Attributes, after?: Attributes) => void,
): Promise<object> {
  const table = String(body["TableName"]);
  const { p = {}, s = {} } = (body["Key"] ?? body["Item"]) as Attributes;
  const before = await read(call, table, { p, s });
  try {
    const answer = await call(operation, body);
    wrote(before, await read(call, table, { p, s }));
    return answer;
  } catch (error) {
    // A condition that does not hold is paid for.
    wrote(before, before);
    throw error;
  }
}

function readUnitsOf(
  operation: string,
  body: Record<string, unknown>,
  answer: Record<string, unknown>,
): number {
  const consistent = body["ConsistentRead"] === true;
  if (operation === "GetItem") {
    return readUnits(itemBytes(answer["Item"] as Attributes | undefined), consistent);
  }
  if (operation === "Query" || operation === "Scan") {
    const items = (answer["Items"] ?? []) as Attributes[];
    return readUnits(
      items.map(itemBytes).reduce((a, b) => a + b, 0),
      consistent,
    );
  }
  if (operation === "BatchGetItem") {
    const requests = body["RequestItems"] as Record<string, { Keys: unknown[] }>;
    const found = Object.values((answer["Responses"] ?? {}) as Record<string, Attributes[]>).flat();
    const asked = Object.values(requests).flatMap(({ Keys }) => Keys).length;
    const missing = asked - found.length;
    return missing * 0.5 + found.reduce((sum, item) => sum + readUnits(itemBytes(item), false), 0);
  }
  return 0;
}

function forward(
  port: number,
  agent: http.Agent,
  operation: string,
  body: object,
): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        host: "127.0.0.1",
        port,
        agent,
        method: "POST",
        headers: headersOf(operation),
      },
      (response) => {
        textOf(response).then((text) => {
          const answer = JSON.parse(text || "{}") as Record<string, unknown>;
          if (response.statusCode === 200) resolve(answer);
          else reject(new Refusal(response.statusCode ?? 500, answer));
        }, reject);
      },
    );
    request.on("error", reject);
    request.end(JSON.stringify(body));
  });
}

const headersOf = (operation: string) => ({
  "content-type": "application/x-amz-json-1.0",
  "x-amz-target": `DynamoDB_20120810.${operation}`,
  authorization:
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0",
  "x-amz-date": "20260101T000000Z",
});

async function textOf(stream: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function send(response: http.ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/x-amz-json-1.0" });
  response.end(JSON.stringify(body));
}

interface Backend {
  readonly call: Call;
  close(): Promise<void>;
}

/** dynalite in this process, asked as its server would be: without a socket, which took most of each call's time. */
function makeDynalite(): Backend {
  const server = dynalite({ createTableMs: 0, deleteTableMs: 0 });
  const call: Call = (operation, body) =>
    new Promise((resolve, reject) => {
      const headers = headersOf(operation);
      const request = Object.assign(new EventEmitter(), { method: "POST", url: "/", headers });
      const response = {
        statusCode: 200,
        setHeader: () => {},
        end: (text: string) => {
          const answer = JSON.parse(text) as Record<string, unknown>;
          if (response.statusCode === 200) resolve(answer);
          else reject(new Refusal(response.statusCode, answer));
        },
      };
      server.emit("request", request, response);
      request.emit("data", Buffer.from(JSON.stringify(body)));
      request.emit("end");
    });
  return { call, close: async () => {} };
}

async function startDynamoDbLocal(jar: string): Promise<Backend> {
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const library = jar.replace(/[^/]*$/, "DynamoDBLocal_lib");
  const options = ["-port", String(port), "-inMemory", "-sharedDb", "-disableTelemetry"];
  const java = spawn("java", [`-Djava.library.path=${library}`, "-jar", jar, ...options], {
    stdio: "ignore",
  });
  let failure: Error | undefined;
  java.on("error", (error) => (failure = error));
  java.on("exit", (code) => (failure ??= new Error(`DynamoDB Local ended with ${code}`)));
  const agent = new http.Agent({ keepAlive: true });
  for (let isUp = false; !isUp;) {
    if (failure) throw failure;
    isUp = await forward(port, agent, "ListTables", {}).then(
      () => true,
      () => new Promise<false>((resolve) => setTimeout(resolve, 100, false)),
    );
  }
  return {
    call: (operation, body) => forward(port, agent, operation, body),
    async close() {
      agent.destroy();
      const gone = once(java, "exit");
      java.kill("SIGKILL");
      await gone;
    },
  };
}

async function untilActive(call: Call, TableName: string): Promise<void> {
  for (;;) {
    const { Table } = await call("DescribeTable", { TableName });
    if ((Table as { TableStatus?: string }).TableStatus === "ACTIVE") return;
  }
}
