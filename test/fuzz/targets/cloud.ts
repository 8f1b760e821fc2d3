import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { WebSocket } from "ws";
import type { HttpEvent, Invocation } from "../../../control-plane/lambda-event.ts";
import { startCloud, type Cloud } from "../../support/aws/cloud.ts";
import { aDeviceConfiguration, aJob } from "../../support/builders.ts";
import { startSocketFront } from "../../support/lambda/socket-front.ts";
import type { FuzzTarget } from "../engine/fuzz-target.ts";

const change = (kind: string, more: object): string =>
  JSON.stringify({ kind, name: "1", who: "admin", changed: {}, ...more });

/**
 * What AWS hands to the functions: a request by API Gateway's HTTP API, messages of the queue of passes, records of the table's stream,
 * somebody at the WebSocket API. The first line says which; `TOKEN` is the administrator's.
 */
export const cloud: FuzzTarget = {
  about:
    "events of the Lambda functions: requests, the queue of passes, the table's stream, sockets",
  words: [
    ...["http GET ", "http POST ", "http PUT ", "http DELETE ", " base64", "passes\n", "changes\n"],
    ...["socket CONNECT ", "socket DISCONNECT ", "/api/v1/", "/api/v0.2/", "/RPC2", "/jobs/1"],
    ...["authorization: Bearer TOKEN", "authorization: Basic ", "cookie: session=", "; ", "?", "&"],
    ...["x-forwarded-for: 1.2.3.4, ", "if-none-match: *", "range: bytes=0-", "accept: text/html"],
    ...["content-type: application/json", "content-length: -1", "origin: null", "host: a"],
    ...["%00", "%2e%2e%2f", "//", "/../", "\u0000", "\ud800", "é", "=", "ÿ", "__proto__", "\r\n"],
    ...[
      '"data":{',
      '"kind":"device"',
      '"time":',
      '"submitter":',
      "null",
      "1e400",
      "{",
      "}",
      "[",
      "]",
    ],
  ],
  seeds: () => [
    "http GET /api/v1/jobs?limit=1\nauthorization: Bearer TOKEN\n\n",
    "http GET /jobs/1\naccept: text/html\ncookie: pumice=a; b=c\n\n",
    "http GET /scheduler/job/1?a=b\nhost: lab.example\nx-forwarded-for: 1.2.3.4\n\n",
    `http POST /api/v1/jobs\nauthorization: Bearer TOKEN\n\n${aJob()}`,
    "http POST /RPC2 base64\nauthorization: Basic YTpi\n\n<?xml?>",
    "http GET /api/v0.2/jobs/?state=Running&ordering=-id\nauthorization: Token TOKEN\n\n",
    "http POST /sign-in\ncontent-type: application/x-www-form-urlencoded\norigin: null\n\nuser=a&password=b",
    "http HEAD /style.css\nif-none-match: *\nrange: bytes=0-1\n\n",
    "passes\nqemu\nb2260-\u00e9\nnotices",
    `changes\n${change("job", { data: { submitter: "a", state: "Running", submit_time: "2026-01-01T00:00:00.000Z" } })}`,
    `changes\n${change("device", { data: { device: "qemu-01", health: null } })}\n${change("token", {})}\nnull`,
    "socket CONNECT abc=?token=TOKEN\nx-forwarded-for: 1.2.3.4\n",
    "socket CONNECT a\nAuthorization: Token TOKEN\n",
    "socket DISCONNECT abc=\n",
  ],
  async open() {
    const account = await startCloud();
    const lab = await openFunctions(account);
    return {
      async run(input) {
        const text = Buffer.from(input).toString("utf8").replaceAll("TOKEN", lab.token);
        // Waiting is what these are made for.
        if (/wait=[^0&]/.test(text) || /"wait_seconds":\s*[^0]/.test(text)) return;
        const [first = "", ...rest] = text.split("\n");
        const [kind, ...words] = first.split(" ");
        if (kind === "passes") await lab.passes(rest);
        else if (kind === "changes") await lab.changes(rest);
        else if (kind === "socket") await lab.socket(words.join(" "), rest);
        else await lab.http(requestIn(words, rest));
        requireNoError(lab.said);
      },
      close: async () => {
        await lab.close();
        await account.close();
      },
    };
  },
};

interface Functions {
  readonly token: string;
  /** Lines of their logs. */
  readonly said: string[];
  http(event: HttpEvent): Promise<number>;
  passes(bodies: readonly string[]): Promise<void>;
  changes(lines: readonly string[]): Promise<void>;
  socket(words: string, headers: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** The functions themselves, in this process, in a lab with a device, a waiting job, and somebody who listens. */
async function openFunctions(account: Cloud): Promise<Functions> {
  const id = randomBytes(8).toString("hex");
  const token = `pumice_${id}_${randomBytes(32).toString("base64url")}`;
  const { region, credentials } = account.place;
  const said: string[] = [];
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = ((line: string) => said.push(line) > 0) as typeof process.stdout.write;
  const call: Invocation = { awsRequestId: "fuzz", getRemainingTimeInMillis: () => 2_500 };
  const hash = createHash("sha256").update(token).digest("hex");
  Object.assign(process.env, account.env, { PUMICE_FIRST_ADMIN: `${id}:${hash}` });
  const [{ handler }, schedule, { handler: told }] = await Promise.all([
    import("../../../control-plane/lambda-http.ts"),
    import("../../../control-plane/lambda-schedule.ts"),
    import("../../../control-plane/lambda-events.ts"),
  ]);
  let isOpen = true;
  // Once all is over nobody wants to know who goes.
  const invoke = async (event: unknown) =>
    JSON.stringify(isOpen ? await told(event as never, call) : undefined);
  const front = await startSocketFront({ invoke, region, credentials });
  process.env["PUMICE_CONNECTIONS_URL"] = front.connectionsUrl;
  const http = async (event: HttpEvent): Promise<number> => (await handler(event, call)).statusCode;
  await fill(http, token, said);
  const listener = new WebSocket(`${front.url}?token=${token}`);
  await once(listener, "open");
  return {
    ...{ token, said, http },
    async passes(bodies) {
      const Records = bodies.map((body, n) => ({ messageId: String(n), body }));
      const { batchItemFailures } = await schedule.handler({ Records }, call);
      if (batchItemFailures.length > 0) said.push("ERROR a pass failed");
    },
    async changes(lines) {
      const Records = lines.map((line) => ({ dynamodb: { NewImage: { d: { S: dated(line) } } } }));
      await told({ Records }, call);
    },
    async socket(words, headers) {
      const [eventType = "", connection = ""] = words.split(" ");
      const [id, query] = connection.split("?token=");
      // API Gateway gives one to each.
      const connectionId = id || "a";
      const requestContext = { eventType, connectionId, identity: { sourceIp: "1.2.3.4" } };
      const queryStringParameters = query === undefined ? null : { token: query };
      const event = { requestContext, headers: headersIn(headers), queryStringParameters };
      await told(event as Parameters<typeof told>[0], call);
    },
    async close() {
      isOpen = false;
      listener.terminate();
      await front.close();
      process.stdout.write = write;
    },
  };
}

async function fill(
  http: Functions["http"],
  token: string,
  said: readonly string[],
): Promise<void> {
  const ask = async (method: string, where: string, body: string): Promise<void> => {
    const headers = [`authorization: Bearer ${token}`, "content-type: application/json", "", body];
    const status = await http(requestIn([method, `/api/v1${where}`], headers));
    if (status >= 300) throw new Error(`${method} ${where}: ${status}, ${said.at(-1)}`);
  };
  await ask("POST", "/workers", JSON.stringify({ name: "bench" }));
  const device = { device_type: "qemu", worker: "bench", configuration: aDeviceConfiguration() };
  await ask("PUT", "/devices/qemu-01", JSON.stringify(device));
  await ask("POST", "/jobs", aJob());
}

/** Of now, as what is old is told nobody. */
function dated(line: string): string {
  try {
    const value: unknown = JSON.parse(line);
    const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
    const time = new Date().toISOString();
    return isRecord ? JSON.stringify({ id: `${time}#a`, time, ...value }) : line;
  } catch {
    return line;
  }
}

/** As API Gateway makes it: names in lower case, the path decoded, a cookie a header no more. */
function requestIn([method = "GET", where = "/", encoding]: string[], rest: string[]): HttpEvent {
  const end = rest.indexOf("");
  const head = end < 0 ? rest : rest.slice(0, end);
  const { cookie, ...headers } = headersIn(head, (name) => name.toLowerCase());
  const body = end < 0 ? "" : rest.slice(end + 1).join("\n");
  const [rawPath = "", ...query] = where.split("?");
  return {
    ...{ rawPath, rawQueryString: query.join("?"), headers, body },
    ...(cookie === undefined ? {} : { cookies: cookie.split("; ") }),
    requestContext: {
      domainName: "lab.execute-api.example",
      http: { method, sourceIp: "1.2.3.4" },
    },
    isBase64Encoded: encoding === "base64",
  };
}

function headersIn(
  lines: readonly string[],
  named = (name: string) => name,
): Record<string, string> {
  return Object.fromEntries(
    lines.flatMap((line): [string, string][] => {
      const at = line.indexOf(": ");
      return at < 0 ? [] : [[named(line.slice(0, at)), line.slice(at + 2)]];
    }),
  );
}

/** What the functions call an error is one of ours: nobody else is here. */
function requireNoError(said: string[]): void {
  const lines = said.splice(0);
  const fault = lines.find(
    (line) =>
      /"level":"ERROR"|^ERROR|a listener's events failed/.test(line) &&
      !line.includes("a record of the stream is no change"),
  );
  if (fault === undefined) return;
  const { error = fault } = (fault.startsWith("{") ? JSON.parse(fault) : {}) as { error?: string };
  const thrown = new Error(fault);
  thrown.stack = error;
  throw thrown;
}
