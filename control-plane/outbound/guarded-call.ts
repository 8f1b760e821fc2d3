import { lookup } from "node:dns/promises";
import http from "node:http";
import https from "node:https";
import { isIP } from "node:net";
import { CallRefused, type Call, type CallAnswer, type Guard } from "../ports/outbound.ts";
import { addressRange } from "#protocol/address-range.ts";
import { isHostOf } from "#protocol/host-pattern.ts";

/** Every address of a name. */
export type Resolve = (hostname: string) => Promise<string[]>;

const MAX_ANSWER_CHARS = 2000;

const systemResolve: Resolve = async (hostname) =>
  (await lookup(hostname, { all: true })).map(({ address }) => address);

/**
 * As `Outbound.call` promises. The name is resolved once, here; the connection goes to an address that passed, so that a
 * name which changes between the look and the call reaches nothing else. Proxies of the environment are not used.
 */
export async function guardedCall(
  call: Call,
  resolve: Resolve = systemResolve,
): Promise<CallAnswer> {
  const url = readUrl(call.url);
  const signal = AbortSignal.timeout(call.timeoutMs);
  const address = await chooseAddress(url, call.guard, withEnd(resolve, signal, call.timeoutMs));
  try {
    return await send(call, url, address, signal);
  } catch (error) {
    if (signal.aborted)
      throw new Error(`no answer within ${call.timeoutMs / 1000} s`, { cause: error });
    throw error;
  }
}

function readUrl(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new CallRefused("it is no URL");
  }
  if (url.protocol === "http:" || url.protocol === "https:") return url;
  throw new CallRefused(`only http:// and https:// are called, not ${url.protocol}//`);
}

/** A resolver that does not answer must not hold the call. */
const withEnd =
  (resolve: Resolve, signal: AbortSignal, timeoutMs: number): Resolve =>
  async (hostname) => {
    let end = (): void => {};
    const over = new Promise<never>((_, reject) => {
      end = () => reject(new Error(`the name was not resolved within ${timeoutMs / 1000} s`));
      signal.addEventListener("abort", end);
    });
    try {
      return await Promise.race([resolve(hostname), over]);
    } finally {
      signal.removeEventListener("abort", end);
    }
  };

async function chooseAddress(url: URL, guard: Guard, resolve: Resolve): Promise<string> {
  const hostname = url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  if (guard.onlyHosts.length > 0 && !matchesAny(guard.onlyHosts, hostname)) {
    throw new CallRefused(`${hostname} is not among notices.only_hosts of the lab's settings`);
  }
  const addresses = isIP(hostname) ? [hostname] : await resolve(hostname);
  const mayBePrivate = guard.allowPrivate || matchesAny(guard.privateHosts, hostname);
  const ranges: string[] = [];
  for (const address of addresses) {
    const range = addressRange(address);
    if (range === undefined || (mayBePrivate && isIP(address) > 0)) return address;
    ranges.push(range);
  }
  if (ranges.length === 0) throw new Error(`${hostname} has no address`);
  throw new CallRefused(
    `${hostname} has no public address (${ranges[0]}); an administrator can allow it with notices.private_hosts of the lab's settings`,
  );
}

/** Whether one of the patterns, with `*` for any characters, is the host. */
const matchesAny = (patterns: readonly string[], hostname: string): boolean =>
  patterns.some((pattern) => isHostOf(pattern.toLowerCase(), hostname.toLowerCase()));

function send(call: Call, url: URL, address: string, signal: AbortSignal): Promise<CallAnswer> {
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  const body = call.body === undefined ? undefined : Buffer.from(call.body);
  return new Promise((resolve, reject) => {
    const request = (url.protocol === "https:" ? https : http).request({
      // Not the name: nobody resolves it again.
      host: address,
      port: url.port || (url.protocol === "https:" ? 443 : 80),
      path: `${url.pathname}${url.search}`,
      method: call.method,
      headers: {
        host: url.host,
        "user-agent": "pumice",
        ...credentialsOf(url),
        ...call.headers,
        ...(body ? { "content-length": String(body.length) } : {}),
      },
      // The certificate must be the name's.
      ...(isIP(hostname) ? {} : { servername: hostname }),
      agent: false,
      signal,
    });
    request.on("error", reject);
    request.on("response", (response) => readAnswer(response).then(resolve, reject));
    request.end(body);
  });
}

/** The beginning; of the rest nothing is read. */
async function readAnswer(response: http.IncomingMessage): Promise<CallAnswer> {
  let text = "";
  response.setEncoding("utf8");
  for await (const chunk of response) {
    text += chunk;
    if (text.length >= MAX_ANSWER_CHARS) break;
  }
  return { status: response.statusCode ?? 0, text: text.slice(0, MAX_ANSWER_CHARS) };
}

function credentialsOf({ username, password }: URL): Record<string, string> {
  if (username === "" && password === "") return {};
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(text).toString("base64")}` };
}
