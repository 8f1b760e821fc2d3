import type http from "node:http";
import { networkHint } from "#protocol/network-words.ts";
import { openNetwork, type Network, type NetworkOptions } from "./network/network.ts";
import { authoritySettings } from "./network/trust.ts";

/** An answer that isn't a success, or (status 0) none at all. `message` names the request and the reason. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly status: number;
  /** The JSON of the answer, if it was JSON: by contract a problem. */
  readonly body: unknown;
  readonly retryAfterSeconds: number | undefined;
  /** How the server wants to be convinced (`WWW-Authenticate`), with a 401. */
  readonly challenge: string | undefined;

  constructor(
    message: string,
    details: {
      status: number;
      body?: unknown;
      retryAfterSeconds?: number | undefined;
      challenge?: string | undefined;
    },
    cause?: unknown,
  ) {
    super(message, { cause });
    this.status = details.status;
    this.body = details.body;
    this.retryAfterSeconds = details.retryAfterSeconds;
    this.challenge = details.challenge;
  }
}

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT";
  /** Relative to the client's base (a leading slash changes nothing), or absolute. */
  readonly url: string;
  /** Sent only to the client's own base, never to an absolute URL. */
  readonly token?: string;
  readonly json?: unknown;
  readonly bytes?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** For the whole exchange, milliseconds. */
  readonly timeoutMs: number;
  readonly maxAnswerBytes?: number;
  /** `text`: a 2xx answer is returned as it is. */
  readonly answer?: "json" | "text";
  /** Not repeated when a kept connection turns out to be closed: the caller wants to know of any break. */
  readonly isOnce?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpClientOptions {
  /** Proxies, authorities and the pin for the base; without it requests go straight (a switch in the lab's network), and this process's authorities count. */
  readonly env?: NetworkOptions["env"];
  /** Told what each answer of the base says the time is (its `Date`), milliseconds since 1970, whole seconds. */
  readonly onServerTime?: (ms: number) => void;
}

/** A small HTTP client with kept-alive connections below one base URL. Concurrent requests are fine. */
export class HttpClient {
  readonly #base: URL;
  readonly #network: Network;
  readonly #onServerTime: HttpClientOptions["onServerTime"];

  /** Throws when the URL is not http or https, or the pin is none. A path in it is kept as a prefix. */
  constructor(
    baseUrl: string,
    { env = authoritySettings(process.env), onServerTime }: HttpClientOptions = {},
  ) {
    this.#base = new URL(baseUrl);
    if (this.#base.protocol !== "http:" && this.#base.protocol !== "https:") {
      throw new Error(`${baseUrl}: expected a URL that begins with http:// or https://`);
    }
    if (!this.#base.pathname.endsWith("/")) this.#base.pathname += "/";
    this.#network = openNetwork({ keepAlive: true, env, pinnedOrigin: this.#base.origin });
    this.#onServerTime = onServerTime;
  }

  /**
   * The JSON of a 2xx answer, if there is any: a 204 has none and a PUT may have what it likes. No redirect is
   * followed. Throws `HttpError`, or the signal's reason.
   */
  async request(request: HttpRequest): Promise<unknown> {
    request.signal?.throwIfAborted();
    try {
      return await this.#exchange(request);
    } catch (error) {
      request.signal?.throwIfAborted();
      // A kept connection that the server closed while it was idle; every request here may be repeated.
      if (error instanceof StaleConnection && !request.isOnce) return this.#exchange(request);
      throw error;
    }
  }

  /**
   * The answer to a GET, whatever its status, its body not yet read: the caller reads or destroys it, and watches that it
   * goes on. No token, no redirect. `timeoutMs`: until it begins. Throws `HttpError` with status 0, or the signal's reason.
   */
  async open(
    request: Pick<HttpRequest, "url" | "headers" | "timeoutMs" | "signal">,
  ): Promise<http.IncomingMessage> {
    request.signal?.throwIfAborted();
    const url = this.#urlOf(request.url);
    const headers = { "accept-encoding": "identity", ...request.headers };
    const sent = this.#network.request(url, { method: "GET", headers });
    return answerTo(sent, request, this.#nameOf("GET", url));
  }

  /** Closes idle connections. */
  close(): void {
    this.#network.close();
  }

  #exchange(request: HttpRequest): Promise<unknown> {
    const absolute = isAbsolute(request.url);
    const url = this.#urlOf(request.url);
    const body = request.json === undefined ? request.bytes : Buffer.from(toJson(request.json));
    const headers: Record<string, string | number> = { accept: "application/json" };
    if (request.json !== undefined) headers["content-type"] = "application/json";
    if (request.method !== "GET") headers["content-length"] = body?.byteLength ?? 0;
    if (request.token !== undefined && !absolute) headers.authorization = `Bearer ${request.token}`;
    Object.assign(headers, request.headers);
    const sent = this.#network.request(url, { method: request.method, headers });
    const name = this.#nameOf(request.method, url);
    return settle(sent, request, name, body, (answer) => {
      if (url.origin === this.#base.origin) this.#tellTime(answer);
      return this.#network.proxyRefusal(url, answer.statusCode ?? 0);
    });
  }

  #nameOf(method: string, url: URL): string {
    const proxy = this.#network.proxyOf(url);
    return `${method} ${url.origin}${url.pathname}${proxy === undefined ? "" : ` by ${proxy}`}`;
  }

  #urlOf(url: string): URL {
    return new URL(isAbsolute(url) ? url : this.#base.href + url.replace(/^\/+/, ""));
  }

  #tellTime({ headers: { date, age } }: http.IncomingMessage): void {
    // What a cache answers was said before.
    const ms = age === undefined ? Date.parse(date ?? "") : NaN;
    if (Number.isFinite(ms)) this.#onServerTime?.(ms);
  }
}

class StaleConnection extends HttpError {}

const isAbsolute = (url: string): boolean => /^https?:\/\//i.test(url);

function answerTo(
  sent: http.ClientRequest,
  { timeoutMs, signal }: Pick<HttpRequest, "timeoutMs" | "signal">,
  name: string,
): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      finish();
      reject(error as Error);
      sent.destroy();
    };
    const late = `${name}: no answer within ${timeoutMs / 1000} s`;
    const timer = setTimeout(() => fail(new HttpError(late, { status: 0 })), timeoutMs);
    const aborted = (): void => fail(signal?.reason);
    const finish = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", aborted);
    };
    signal?.addEventListener("abort", aborted, { once: true });
    sent.on("error", (error: NodeJS.ErrnoException) => {
      fail(new HttpError(`${name}: ${reasonOfError(error)}`, { status: 0 }, error));
    });
    sent.on("response", (answer) => {
      finish();
      resolve(answer);
    });
    sent.end();
  });
}

function reasonOfError({ code, message }: NodeJS.ErrnoException): string {
  const hint = networkHint(code);
  return hint === undefined ? (code ?? message) : `${code}, ${hint}`;
}

const toJson = (value: unknown): string => JSON.stringify(value);

function settle(
  sent: http.ClientRequest,
  request: HttpRequest,
  name: string,
  body: Uint8Array | undefined,
  look: (answer: http.IncomingMessage) => string | undefined,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let answered = false;
    const fail = (error: unknown): void => {
      finish();
      reject(error as Error);
      sent.destroy();
    };
    const timer = setTimeout(() => {
      fail(new HttpError(`${name}: no answer within ${request.timeoutMs / 1000} s`, { status: 0 }));
    }, request.timeoutMs);
    const aborted = (): void => fail(request.signal?.reason);
    const finish = (): void => {
      clearTimeout(timer);
      request.signal?.removeEventListener("abort", aborted);
    };
    request.signal?.addEventListener("abort", aborted, { once: true });
    sent.on("error", (error: NodeJS.ErrnoException) => {
      const stale = sent.reusedSocket && !answered && error.code === "ECONNRESET";
      const Kind = stale ? StaleConnection : HttpError;
      fail(new Kind(`${name}: ${reasonOfError(error)}`, { status: 0 }, error));
    });
    sent.on("response", (response) => {
      answered = true;
      const proxyRefusal = look(response);
      readAnswer(response, request, name, proxyRefusal).then((answer) => {
        finish();
        resolve(answer);
      }, fail);
    });
    sent.end(body);
  });
}

async function readAnswer(
  response: http.IncomingMessage,
  { method, maxAnswerBytes: maxBytes = 1024 * 1024, answer }: HttpRequest,
  name: string,
  proxyRefusal: string | undefined,
): Promise<unknown> {
  const parts: Buffer[] = [];
  let size = 0;
  const status = response.statusCode ?? 0;
  try {
    for await (const part of response as AsyncIterable<Buffer>) {
      size += part.byteLength;
      if (size > maxBytes) {
        throw new HttpError(`${name}: the answer is longer than ${maxBytes} bytes`, { status: 0 });
      }
      parts.push(part);
    }
  } catch (error) {
    if (error instanceof HttpError) throw error;
    throw new HttpError(`${name}: the answer broke off`, { status: 0 }, error);
  }
  const text = Buffer.concat(parts).toString("utf8");
  const isSuccess = status >= 200 && status < 300;
  if (isSuccess && answer === "text") return text;
  const body = parseJson(text);
  if (isSuccess) {
    if (method !== "PUT" && status !== 204 && body === undefined) {
      throw new HttpError(`${name}: expected JSON, is this a control plane?`, { status: 0 });
    }
    return body;
  }
  if (proxyRefusal !== undefined) throw new HttpError(`${name}: ${proxyRefusal}`, { status });
  throw new HttpError(`${name}: ${status} ${reasonOf(body, text, response)}`.trimEnd(), {
    status,
    body,
    retryAfterSeconds: retryAfter(response.headers),
    challenge: response.headers["www-authenticate"],
  });
}

function reasonOf(body: unknown, text: string, response: http.IncomingMessage): string {
  const { message } = (body ?? {}) as { message?: unknown };
  if (typeof message === "string") return message.slice(0, 500);
  const { location } = response.headers;
  if (location !== undefined) return `redirected to ${location.slice(0, 200)}: use that URL`;
  return text.replace(/[^\x20-\x7e]+/g, " ").slice(0, 200);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Seconds, from either form of RFC 9110 10.2.3; a date is meant by the server's clock. */
function retryAfter(headers: http.IncomingHttpHeaders): number | undefined {
  const { "retry-after": text, date } = headers;
  if (text === undefined) return undefined;
  const now = date === undefined ? Date.now() : Date.parse(date);
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - now) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}
