import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type AwsAnswer, AwsRefusal, type AwsRequest, readRequest } from "./exchange.ts";
import type { Faults } from "./faults.ts";
import type { CallMeter } from "./meter.ts";
import type { AwsService } from "./sigv4.ts";

/** What one AWS service does behind its front. */
export interface Service {
  /** AWS's name for what is asked. */
  operationOf(request: AwsRequest): string;
  /** Does what is asked; `signal` ends when the client went away. Throws AwsRefusal. */
  handle(request: AwsRequest, operation: string, signal: AbortSignal): Promise<AwsAnswer>;
  /** A refusal in the form that this request's protocol has for it. */
  refuse(refusal: AwsRefusal, request: AwsRequest | undefined): AwsAnswer;
}

export interface FrontOptions extends Service {
  readonly service: AwsService;
  readonly maxBodyBytes: number;
  readonly now: () => number;
  readonly meter: CallMeter;
  readonly faults: Faults;
}

export interface Front {
  readonly endpoint: string;
  close(): Promise<void>;
}

const THROTTLED = {
  s3: new AwsRefusal(503, "SlowDown", "Please reduce your request rate."),
  sqs: new AwsRefusal(403, "RequestThrottled", "Request is throttled."),
};
const BROKEN = {
  s3: new AwsRefusal(500, "InternalError", "We encountered an internal error. Please try again."),
  sqs: new AwsRefusal(500, "InternalFailure", "We encountered an internal error. Try again."),
};

/** One AWS service on a random loopback port: reads, strikes with faults, counts and answers. */
export async function startFront(options: FrontOptions): Promise<Front> {
  const server = createServer((incoming, response) => {
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    serve(options, incoming, response, gone.signal).catch((error: unknown) => {
      // Clients go away at any moment; anything else is a fault of this front, for whoever reads the test's output.
      if (!gone.signal.aborted && !incoming.destroyed) console.error("strict front:", error);
      incoming.socket.destroy();
    });
  });
  // A connection that is closed for idleness just as a request comes would fail that request.
  server.keepAliveTimeout = 0;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function serve(
  options: FrontOptions,
  incoming: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  let request: AwsRequest | undefined;
  try {
    request = await readRequest(incoming, options.maxBodyBytes);
  } catch (error) {
    if (!(error instanceof AwsRefusal)) throw error;
    response.setHeader("connection", "close");
    send(options, response, options.refuse(error, undefined));
    return;
  }
  const operation = options.operationOf(request);
  const { service } = options;
  const fault = options.faults.take(service, operation, [
    "throttle",
    "error500",
    "reset",
    "lostAnswer",
  ]);
  if (fault === "reset") {
    incoming.socket.resetAndDestroy();
    return;
  }
  const answer =
    fault === "throttle" || fault === "error500"
      ? options.refuse((fault === "throttle" ? THROTTLED : BROKEN)[service], request)
      : await answerOf(options, request, operation, signal);
  options.meter.count(service, operation, {
    status: answer.status,
    bytesIn: request.body.length,
    bytesOut: answer.body.length,
  });
  if (fault === "lostAnswer") incoming.socket.resetAndDestroy();
  else send(options, response, answer, request.method);
}

async function answerOf(
  options: FrontOptions,
  request: AwsRequest,
  operation: string,
  signal: AbortSignal,
): Promise<AwsAnswer> {
  try {
    return await options.handle(request, operation, signal);
  } catch (error) {
    if (error instanceof AwsRefusal) return options.refuse(error, request);
    throw error;
  }
}

function send(
  { now }: FrontOptions,
  response: ServerResponse,
  answer: AwsAnswer,
  method = "GET",
): void {
  if (response.destroyed) return;
  // The SDK corrects its own clock by this header, so it tells the service's time.
  response.setHeader("date", new Date(now()).toUTCString());
  const length = method === "HEAD" ? {} : { "content-length": String(answer.body.length) };
  response.writeHead(answer.status, { ...answer.headers, ...length });
  response.end(method === "HEAD" ? undefined : answer.body);
}
