import type http from "node:http";
import type net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { networkHint } from "#protocol/network-words.ts";
import { JobFailure } from "../pipeline/job-failure.ts";
import { isRefusedForGood } from "./network/explain.ts";
import { NO_RULES, reachableAddresses, type DownloadRules } from "./download-rules.ts";
import { openNetwork, type Network } from "./network/network.ts";
import { hostOf, proxyFor } from "./network/proxy.ts";

export interface UrlRequest {
  readonly method: "GET" | "HEAD";
  readonly headers?: Readonly<Record<string, string>>;
  /** Headers of our own (Range, If-None-Match ...): unlike those of the job they follow a redirect to another host. */
  readonly conditions?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Which hosts may be reached, redirects too; but for the metadata of clouds all when not given. */
  readonly rules?: DownloadRules | undefined;
  /** First pause between tries, doubled each time; 100 ms when not given. */
  readonly backoffMs?: number | undefined;
}

/** Tries after the first, by method (DISPATCHER.md 3). */
const RETRIES = { GET: 15, HEAD: 9 };
const RETRIED_STATUSES = new Set([
  408, 413, 420, 425, 429, 430, 500, 502, 503, 504, 507, 509, 529, 598,
]);
const MAX_PAUSE_MS = 120_000;
const MAX_REDIRECTS = 10;

/**
 * The answer to a request after redirects, whatever its status, its body not yet read: the caller reads
 * or destroys it. Answers that say "later" and broken connections are tried again first.
 *
 * @throws JobFailure Infrastructure when no answer comes; the signal's reason when aborted.
 */
export async function fetchUrl(url: string, request: UrlRequest): Promise<http.IncomingMessage> {
  let pauseMs = request.backoffMs ?? 100;
  for (let left = RETRIES[request.method]; ; left--) {
    let wanted = pauseMs;
    try {
      const answer = await followRedirects(url, request);
      if (left === 0 || !RETRIED_STATUSES.has(answer.statusCode ?? 0)) return answer;
      answer.destroy();
      wanted = Math.max(pauseMs, 1000 * Number(answer.headers["retry-after"] ?? 0) || 0);
    } catch (error) {
      request.signal?.throwIfAborted();
      if (error instanceof JobFailure) throw error;
      // Tried again for minutes, it would end as a time-out that says nothing.
      const { cause } = error as { cause?: unknown };
      if (left === 0 || (cause !== undefined && isRefusedForGood(cause))) {
        throw new JobFailure("Infrastructure", `Unable to get '${url}'${reasonOf(error, url)}`, {
          cause: error,
        });
      }
    }
    await sleep(Math.min(wanted, MAX_PAUSE_MS), undefined, { signal: request.signal }).catch(() =>
      request.signal?.throwIfAborted(),
    );
    pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS);
  }
}

function reasonOf(error: unknown, url: string): string {
  const { message, code } = error as NodeJS.ErrnoException;
  const proxy = network?.proxyOf(new URL(url));
  const hint = networkHint(code);
  const reason = message || String(error);
  return `${proxy ? ` by ${proxy}` : ""}: ${hint === undefined ? reason : `${reason}; ${hint}`}`;
}

async function followRedirects(url: string, request: UrlRequest): Promise<http.IncomingMessage> {
  let at = new URL(url);
  let headers = request.headers ?? {};
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const answer = await send(at, { ...request, headers });
    const location = answer.headers.location;
    if (![301, 302, 303, 307, 308].includes(answer.statusCode ?? 0) || !location) return answer;
    answer.destroy();
    const next = URL.canParse(location, at.href) ? new URL(location, at) : undefined;
    if (!next || (next.protocol !== "http:" && next.protocol !== "https:")) {
      throw new JobFailure(
        "Infrastructure",
        `'${at.href}' redirects to '${location}': no web address`,
      );
    }
    // The job gave its headers (often a token) for the host it named, not for any other, nor for all to read.
    if (next.origin !== at.origin && !isUpgrade(at, next)) headers = {};
    at = next;
  }
  throw new JobFailure("Infrastructure", `'${url}' redirects more than ${MAX_REDIRECTS} times`);
}

/** The same host, now by TLS. */
const isUpgrade = (from: URL, to: URL): boolean =>
  from.protocol === "http:" && to.protocol === "https:" && from.host === to.host;

/** Made at the first request: it is the environment then that counts (settings are put into it at the start). */
let network: Network | undefined;

async function send(
  url: URL,
  { method, headers, conditions, signal, rules = NO_RULES }: UrlRequest,
): Promise<http.IncomingMessage> {
  signal?.throwIfAborted();
  const checked = await checkedAddresses(url, rules);
  const { ways, sent } = begun(url, {
    method,
    ...(checked ? { lookup: checked } : {}),
    // No encoding: sizes and checksums are those of the file.
    headers: {
      "user-agent": "pumice-worker",
      "accept-encoding": "identity",
      ...headers,
      ...conditions,
    },
    ...(signal ? { signal } : {}),
  });
  return new Promise((resolve, reject) => {
    // A request whose connection is still being made says nothing of its end.
    const aborted = (): void => reject(signal?.reason as Error);
    signal?.addEventListener("abort", aborted, { once: true });
    const settled = (): void => signal?.removeEventListener("abort", aborted);
    sent.on("response", (answer) => {
      settled();
      const refused = ways.proxyRefusal(url, answer.statusCode ?? 0);
      if (refused === undefined) return resolve(answer);
      answer.destroy();
      reject(new JobFailure("Infrastructure", `Unable to get '${url.href}': ${refused}`));
    });
    sent.on("error", (error) => {
      settled();
      reject(error);
    });
    sent.end();
  });
}

/**
 * In place of a second look at the name, which may lead elsewhere by then. It is not taken with TLS: there nobody but the named host
 * can answer.
 */
async function checkedAddresses(
  url: URL,
  rules: DownloadRules,
): Promise<net.LookupFunction | undefined> {
  const isProxied = isByProxy(url);
  const addresses = await reachableAddresses(rules, {
    url: url.href,
    host: hostOf(url),
    isProxied,
  });
  const [first] = addresses;
  if (first === undefined || isProxied) return undefined;
  return (_name, { all }, done) =>
    all === true ? done(null, addresses) : done(null, first.address, first.family);
}

/** A setting of a proxy that is none is told by the request itself. */
function isByProxy(url: URL): boolean {
  try {
    return proxyFor(url, process.env) !== undefined;
  } catch {
    return true;
  }
}

/** What can't even begin (a proxy's setting that is none, a header with a line's end) is not tried again. */
function begun(
  url: URL,
  options: http.RequestOptions,
): { readonly ways: Network; readonly sent: http.ClientRequest } {
  try {
    const ways = (network ??= openNetwork({ keepAlive: false, env: process.env }));
    return { ways, sent: ways.request(url, options) };
  } catch (error) {
    const { message } = error as Error;
    throw new JobFailure("Infrastructure", `Unable to get '${url.href}': ${message}`, {
      cause: error,
    });
  }
}
