import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { FakeCloudFormation, type Form } from "./fake-cloudformation.ts";
import { FakeRefusal, xmlOf, type Xml } from "./fake-xml.ts";

/** An account of AWS as far as deploys see it, on a port of this machine. Close it. */
export interface FakeCloud {
  readonly stacks: FakeCloudFormation;
  /** Objects by `bucket/key`. */
  readonly objects: Map<string, string>;
  /** Tables by name: whether they are protected. Made by the test. */
  readonly tables: Map<string, boolean>;
  readonly queues: Set<string>;
  readonly deletedBuckets: string[];
  /** Environment of a program that works in this account. */
  readonly env: Record<string, string>;
  close(): Promise<void>;
}

interface Answer {
  readonly type: string;
  readonly body: string;
}

const xml = (body: string): Answer => ({ type: "text/xml", body });
const json = (body: object): Answer => ({
  type: "application/x-amz-json-1.0",
  body: JSON.stringify(body),
});

export async function startFakeCloud(): Promise<FakeCloud> {
  const state = {
    stacks: new FakeCloudFormation(),
    objects: new Map<string, string>(),
    tables: new Map<string, boolean>(),
    queues: new Set<string>(),
    deletedBuckets: [] as string[],
  };
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const head = request.method === "HEAD";
      try {
        const { type, body: answer } = answerTo(state, request, body);
        response.writeHead(200, { "content-type": type }).end(head ? "" : answer);
      } catch (error) {
        const refusal =
          error instanceof FakeRefusal ? error : new FakeRefusal(500, "Bug", String(error));
        response.writeHead(refusal.status, { "x-amzn-errortype": refusal.code });
        response.end(head ? "" : refusalBody(request, refusal));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    ...state,
    env: {
      AWS_REGION: "eu-west-1",
      AWS_ACCESS_KEY_ID: "AKIAFAKE",
      AWS_SECRET_ACCESS_KEY: "fake",
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      AWS_CONFIG_FILE: "/nonexistent",
      AWS_SHARED_CREDENTIALS_FILE: "/nonexistent",
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

type State = Pick<FakeCloud, "stacks" | "objects" | "tables" | "queues" | "deletedBuckets">;

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString("latin1");
}

function answerTo(state: State, request: IncomingMessage, body: string): Answer {
  const target = String(request.headers["x-amz-target"] ?? "");
  if (target)
    return json(tablesAndQueues(state, target, JSON.parse(body) as Record<string, string>));
  if (String(request.headers["content-type"]).includes("x-www-form-urlencoded")) {
    const form: Form = Object.fromEntries(new URLSearchParams(body));
    return xml(state.stacks.call(form["Action"] ?? "", form));
  }
  return s3(state, request, body);
}

function refusalBody(request: IncomingMessage, { code, message }: FakeRefusal): string {
  if (request.headers["x-amz-target"]) return JSON.stringify({ __type: code, message });
  const Error: Xml = { Code: code, Message: message };
  return request.method === "POST" && request.url === "/"
    ? xmlOf("ErrorResponse", { Error, RequestId: "1" })
    : xmlOf("Error", Error);
}

function tablesAndQueues(
  { tables, queues }: State,
  target: string,
  { TableName = "", QueueNamePrefix = "", QueueUrl = "" }: Record<string, string>,
): object {
  const operation = target.replace(/^.*\./, "");
  if (operation === "ListQueues") {
    const QueueUrls = [...queues].filter((url) =>
      url.split("/").at(-1)?.startsWith(QueueNamePrefix),
    );
    return { QueueUrls };
  }
  if (operation === "DeleteQueue") return (queues.delete(QueueUrl), {});
  const isProtected = tables.get(TableName);
  if (isProtected === undefined)
    throw new FakeRefusal(400, "ResourceNotFoundException", "no table");
  if (operation === "UpdateTable") tables.set(TableName, false);
  if (operation === "DeleteTable") {
    if (isProtected) throw new FakeRefusal(400, "ValidationException", "deletion protection");
    tables.delete(TableName);
  }
  return { Table: { TableName, TableStatus: "ACTIVE" } };
}

function s3({ objects, deletedBuckets }: State, request: IncomingMessage, body: string): Answer {
  const url = new URL(request.url ?? "/", "http://s3");
  const [, bucket = "", ...rest] = decodeURIComponent(url.pathname).split("/");
  const name = `${bucket}/${rest.join("/")}`;
  const inBucket = [...objects.keys()].filter((one) => one.startsWith(`${bucket}/`));
  if (url.searchParams.has("versions")) {
    const Version = inBucket.map((one) => ({ Key: one.slice(bucket.length + 1), VersionId: "1" }));
    return xml(xmlOf("ListVersionsResult", { Version }));
  }
  if (url.searchParams.has("delete")) {
    for (const [, key = ""] of body.matchAll(/<Key>([^<]*)<\/Key>/g))
      objects.delete(`${bucket}/${key}`);
    return xml(xmlOf("DeleteResult", {}));
  }
  if (request.method === "PUT") objects.set(name, body);
  if (request.method === "DELETE") {
    if (inBucket.length > 0) throw new FakeRefusal(409, "BucketNotEmpty", "not empty");
    deletedBuckets.push(bucket);
    return xml("");
  }
  const found = objects.get(name);
  if (found === undefined)
    throw new FakeRefusal(404, request.method === "HEAD" ? "NotFound" : "NoSuchKey", "no such key");
  return { type: "application/octet-stream", body: request.method === "PUT" ? "" : found };
}
