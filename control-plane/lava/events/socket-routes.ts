import { AppError } from "../../domain/app-error.ts";
import type { Deps } from "../../domain/deps.ts";
import { addListener, removeListener } from "../../domain/events/listeners.ts";
import { addressSeen } from "../../http/client-address.ts";
import type { FailureLimit } from "../../http/failure-limit.ts";
import { listenerOf } from "./listener-of.ts";

/** Of API Gateway's WebSocket API: what we read of it. Names of headers are as the client wrote them. */
export interface SocketEvent {
  readonly requestContext: {
    readonly eventType: "CONNECT" | "MESSAGE" | "DISCONNECT";
    readonly connectionId: string;
    readonly identity?: { readonly sourceIp?: string };
  };
  readonly headers?: Readonly<Record<string, string>>;
  readonly queryStringParameters?: Readonly<Record<string, string>> | null;
}

/** There is a connection once `$connect` was answered with 200; else its client gets the status. */
export interface SocketAnswer {
  readonly statusCode: number;
  readonly body?: string;
}

export interface SocketLimits {
  readonly failures: FailureLimit;
  readonly trustedProxies: number;
}

const STATUS: Partial<Record<string, number>> = { throttled: 429, unavailable: 503 };

/** Who comes to LAVA's event stream, and who goes; what somebody says is heard by nobody. */
export async function answerSocket(
  deps: Deps,
  event: SocketEvent,
  limits: SocketLimits,
): Promise<SocketAnswer> {
  const { eventType, connectionId } = event.requestContext;
  if (eventType === "CONNECT") return connect(deps, event, limits);
  if (eventType === "DISCONNECT") await removeListener(deps, connectionId);
  return { statusCode: 200 };
}

async function connect(
  deps: Deps,
  { requestContext, headers: sent, queryStringParameters }: SocketEvent,
  { failures, trustedProxies }: SocketLimits,
): Promise<SocketAnswer> {
  const { connectionId: id, identity } = requestContext;
  const headers = headersOf(sent);
  if (!headers) return refusal(400, "this is no request that we know");
  const address = addressSeen(headers.get("x-forwarded-for") ?? undefined, {
    address: identity?.sourceIp,
    trustedProxies,
  });
  try {
    const principal = await listenerOf(deps, {
      authorization: headers.get("authorization") ?? undefined,
      lavaToken: headers.get("lava-token") ?? undefined,
      token: queryStringParameters?.["token"],
    });
    if (!principal) {
      failures.check(address);
      failures.note(address);
      return refusal(401, "a token is needed: ?token=TOKEN");
    }
    await addListener(deps, { id, principal, address });
    return { statusCode: 200 };
  } catch (error) {
    if (error instanceof AppError) return refusal(STATUS[error.code] ?? 400, error.message);
    throw error;
  }
}

/** Undefined where no request can have such, as one whose value is no Latin-1. */
function headersOf(sent: SocketEvent["headers"]): Headers | undefined {
  try {
    return new Headers(sent);
  } catch {
    return undefined;
  }
}

/** As API Gateway takes it. */
export const refusal = (statusCode: number, error: string): SocketAnswer => ({
  statusCode,
  body: JSON.stringify({ error }),
});
