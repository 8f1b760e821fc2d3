import { randomUUID } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { FunctionError } from "./environment.ts";

/** What stands before the function: API Gateway's HTTP API with a `$default` stage, or a function URL. */
export type FrontKind = "http-api" | "function-url";

export interface HttpFront {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  close(): Promise<void>;
}

/** Of the event that Lambda is called with. */
const MAX_EVENT_BYTES = 6 * 2 ** 20;
/** An HTTP API waits 30 s for the function. */
const WAIT_MS = { "http-api": 30_000, "function-url": 15 * 60_000 };
const BROKEN = {
  "http-api": { status: 500, body: '{"message":"Internal Server Error"}' },
  "function-url": { status: 502, body: "Internal Server Error" },
};

/** Requests become events of payload format 2.0 and answers responses, each as AWS's documentation has it. */
export async function startHttpFront(
  kind: FrontKind,
  invoke: (event: unknown) => Promise<string>,
  waitMs = WAIT_MS[kind],
): Promise<HttpFront> {
  const server = http.createServer((request, response) => {
    void (async () => {
      const body = await bytesOf(request);
      const event = eventOf(kind, request, body);
      if (event === undefined) return send(response, 400, '{"message":"Bad Request"}');
      if (Buffer.byteLength(JSON.stringify(event)) > MAX_EVENT_BYTES) {
        return send(response, 413, '{"message":"Request Entity Too Large"}');
      }
      try {
        const answer = await within(waitMs, invoke(event));
        if (answer === undefined) send(response, 503, '{"message":"Service Unavailable"}');
        else reply(response, JSON.parse(answer));
      } catch (error) {
        if (!(error instanceof FunctionError || error instanceof TypeError)) throw error;
        send(response, BROKEN[kind].status, BROKEN[kind].body);
      }
    })().catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Undefined for a path that cannot be decoded. */
function eventOf(kind: FrontKind, request: http.IncomingMessage, body: Buffer) {
  const [rawPath = "/", rawQueryString = ""] = (request.url ?? "/").split(/\?(.*)/s, 2);
  const path = kind === "http-api" ? decoded(rawPath) : rawPath;
  if (path === undefined) return undefined;
  const { cookie, ...headers } = joined(request);
  const isText = /^(text\/|application\/(json|javascript|xml)\b)/.test(
    headers["content-type"] ?? "text/plain",
  );
  const query = new URLSearchParams(rawQueryString);
  const now = new Date();
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath: path,
    rawQueryString,
    ...(cookie === undefined ? {} : { cookies: cookie.split(/; */) }),
    headers: {
      ...headers,
      "x-forwarded-for": request.socket.remoteAddress ?? "",
      "x-forwarded-port": "443",
      "x-forwarded-proto": "https",
    },
    ...(query.size === 0
      ? {}
      : {
          queryStringParameters: Object.fromEntries(
            [...query.keys()].map((name) => [name, query.getAll(name).join(",")]),
          ),
        }),
    requestContext: {
      accountId: "000000000000",
      apiId: "gateway",
      domainName: headers["host"] ?? "localhost",
      domainPrefix: "gateway",
      http: {
        method: request.method,
        path,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp: request.socket.remoteAddress,
        userAgent: headers["user-agent"] ?? "",
      },
      requestId: randomUUID(),
      routeKey: "$default",
      stage: "$default",
      time: now.toUTCString(),
      timeEpoch: now.getTime(),
    },
    ...(body.length === 0 ? {} : { body: body.toString(isText ? "utf8" : "base64") }),
    isBase64Encoded: body.length > 0 && !isText,
  };
}

function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

/** Lower-case names, several values of one name joined by commas; cookies as one line. */
function joined({ headersDistinct }: http.IncomingMessage): Record<string, string> {
  const entries = Object.entries(headersDistinct).map(([name, values = []]) => [
    name,
    values.join(name === "cookie" ? "; " : ","),
  ]);
  return Object.fromEntries(entries) as Record<string, string>;
}

interface Answer {
  statusCode?: number;
  headers?: Record<string, string>;
  cookies?: string[];
  body?: string;
  isBase64Encoded?: boolean;
}

/** Throws `TypeError` for what is no response. An answer without `statusCode` is the body of a 200. */
function reply(response: http.ServerResponse, answer: Answer | null): void {
  if (answer?.statusCode === undefined) return send(response, 200, JSON.stringify(answer));
  const { statusCode, headers = {}, cookies = [], body = "", isBase64Encoded = false } = answer;
  if (!Number.isInteger(statusCode)) throw new TypeError("statusCode is no number");
  for (const [name, value] of Object.entries({ "content-type": "text/plain", ...headers })) {
    if (!/^(connection|content-length|transfer-encoding)$/i.test(name)) {
      response.setHeader(name, value);
    }
  }
  if (cookies.length > 0) response.setHeader("set-cookie", cookies);
  response.statusCode = statusCode;
  response.end(Buffer.from(body, isBase64Encoded ? "base64" : "utf8"));
}

function send(response: http.ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(body);
}

/** Undefined when it takes longer; what becomes of it then is nobody's business. */
async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  work.catch(() => {});
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

async function bytesOf(request: http.IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
