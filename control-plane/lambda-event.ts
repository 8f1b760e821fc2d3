import type { Problem } from "#protocol/api.ts";

/** Of API Gateway's HTTP API (payload format 2.0) or a function URL: what we read of it. */
export interface HttpEvent {
  readonly rawPath: string;
  readonly rawQueryString: string;
  readonly cookies?: readonly string[];
  /** Lower-case names; values of one name joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
  readonly requestContext: {
    readonly domainName: string;
    readonly http: { readonly method: string; readonly sourceIp?: string };
  };
  readonly body?: string;
  readonly isBase64Encoded: boolean;
}

/** What Lambda says about a call. */
export interface Invocation {
  readonly awsRequestId: string;
  getRemainingTimeInMillis(): number;
}

export interface HttpAnswer {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly cookies: string[];
  readonly body: string;
  readonly isBase64Encoded: boolean;
}

/** Lambda takes 6 MB (6,291,556 bytes) of JSON from a function; a little less, for the headers. */
const MAX_ANSWER_BYTES = 6_280_000;
/** Below it no way of writing a body is too long: six bytes for one at the worst. */
const SURELY_FITS_BYTES = 1_000_000;

/** Throws `TypeError` when no request can be like that. */
export function requestOf(event: HttpEvent, signal: AbortSignal): Request {
  const { method } = event.requestContext.http;
  const url = new URL(`https://${event.requestContext.domainName}`);
  // Set, not pasted: the path has been decoded and may have any character.
  url.pathname = event.rawPath;
  url.search = event.rawQueryString;
  const headers = new Headers(event.headers);
  if (event.cookies?.length) headers.set("cookie", event.cookies.join("; "));
  const body = Buffer.from(event.body ?? "", event.isBase64Encoded ? "base64" : "utf8");
  const takesBody = method !== "GET" && method !== "HEAD" && body.length > 0;
  return new Request(url, { method, headers, signal, ...(takesBody ? { body } : {}) });
}

/** What is no text goes as base64. An answer that Lambda could not carry becomes one that says so. */
export async function answerOf(response: Response): Promise<HttpAnswer> {
  const bytes = new Uint8Array(await response.arrayBuffer());
  const answer = { ...headOf(response), ...bodyOf(bytes) };
  if (bytes.length <= SURELY_FITS_BYTES) return answer;
  if (Buffer.byteLength(JSON.stringify(answer)) <= MAX_ANSWER_BYTES) return answer;
  return problemAnswer(413, {
    code: "too_large",
    message: "the answer is longer than the 6 MB that AWS Lambda can carry; ask for a part of it",
  });
}

/** An answer to what never reaches the app. */
export function problemAnswer(statusCode: number, problem: Problem): HttpAnswer {
  return {
    statusCode,
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      ...(statusCode === 503 ? { "retry-after": "1" } : {}),
    },
    cookies: [],
    body: JSON.stringify(problem),
    isBase64Encoded: false,
  };
}

function headOf({ status, headers }: Response) {
  const { "set-cookie": _, ...rest } = Object.fromEntries(headers);
  return { statusCode: status, headers: rest, cookies: headers.getSetCookie() };
}

function bodyOf(bytes: Uint8Array): Pick<HttpAnswer, "body" | "isBase64Encoded"> {
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return { body: decoder.decode(bytes), isBase64Encoded: false };
  } catch {
    return { body: Buffer.from(bytes).toString("base64"), isBase64Encoded: true };
  }
}
