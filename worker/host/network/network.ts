import type { X509Certificate } from "node:crypto";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import tls from "node:tls";
import { isUnknownAuthority, meaningOf } from "./explain.ts";
import { decoded, hostOf, portOf, proxyFor, type Proxy } from "./proxy.ts";
import { forgetAuthorities, parsePins, pinOf, secureContext } from "./trust.ts";
import { openTunnel, refusal } from "./tunnel.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** For TCP, the proxy and TLS together, until a request can be sent. */
const CONNECT_MS = 30_000;

export interface NetworkOptions {
  /** Whether connections are kept for the next request. */
  readonly keepAlive: boolean;
  /** Proxies, authorities and the pin: `process.env`, mostly. Empty: straight, with the system's authorities. */
  readonly env: Environment;
  /** The origin for which `PUMICE_PIN` is; that of `PUMICE_URL` when not said. */
  readonly pinnedOrigin?: string | undefined;
}

/** HTTP requests by this machine's settings. */
export interface Network {
  /** As `https.request` or `http.request`. Failures to connect come as its `error`, in words. */
  request(url: URL, options: http.RequestOptions): http.ClientRequest;
  /** The proxy that is asked for an http:// URL, for people: a failure to connect is one to it. Of https:// the failure's own words tell. */
  proxyOf(url: URL): string | undefined;
  /** What an answer says about the proxy it came from, if it is one that the proxy gave. */
  proxyRefusal(url: URL, status: number): string | undefined;
  /** Ends idle connections, and those that are still being made. */
  close(): void;
}

/**
 * A way to servers: through the proxy that the environment wants, with its authorities, and with its pin for one origin.
 * A pin stands in for authorities, names and dates, and is compared before anything is sent. Works alike in Bun and Node.js.
 * Throws when `PUMICE_PIN` is none.
 */
export function openNetwork({ keepAlive, env, pinnedOrigin }: NetworkOptions): Network {
  const pins = env["PUMICE_PIN"] ? parsePins(env["PUMICE_PIN"]) : [];
  const pinned = pinnedOrigin ?? originOf(env["PUMICE_URL"]);
  const opening = new Set<() => void>();
  const plain = new http.Agent({ keepAlive });
  const secure = new https.Agent({ keepAlive });
  // Both runtimes ask it for each new connection, and wait for its callback.
  secure.createConnection = ((options: SecureTarget, done: Done) => {
    const url = urlOf(options);
    const isPinned = pins.length > 0 && url.origin === pinned;
    const proxy = proxyFor(url, env);
    // A proxy for http:// that speaks TLS itself is reached straight.
    const through = proxy?.url.origin === url.origin ? undefined : proxy;
    openSecure({ url, proxy: through, pins: isPinned ? pins : undefined, env, opening }).then(
      (socket) => done(null, socket),
      (error: Error) => done(error),
    );
  }) as unknown as typeof secure.createConnection;

  return {
    request(url, options) {
      // Looked at here, too: a setting that is none fails before anything is begun.
      const proxy = proxyFor(url, env);
      if (url.protocol === "https:") return https.request(url, { ...options, agent: secure });
      if (!proxy) return http.request(url, { ...options, agent: plain });
      return byProxy(proxy, url, options, proxy.url.protocol === "https:" ? secure : plain);
    },
    proxyOf(url) {
      const proxy = url.protocol === "http:" ? proxyFor(url, env) : undefined;
      return proxy && `proxy ${proxy.name} (${proxy.setting})`;
    },
    proxyRefusal(url, status) {
      const proxy = status === 407 ? proxyFor(url, env) : undefined;
      return proxy && refusal(proxy, { code: status, reason: "" }, url.host);
    },
    close() {
      plain.destroy();
      secure.destroy();
      for (const end of opening) end();
    },
  };
}

interface SecureTarget {
  readonly host: string;
  readonly port: number | string;
}
type Done = (error: Error | null, socket?: net.Socket) => void;

function urlOf({ host, port }: SecureTarget): URL {
  const bare = host.replace(/^\[|\]$/g, "");
  return new URL(`https://${net.isIPv6(bare) ? `[${bare}]` : bare}:${port}`);
}

const originOf = (url: string | undefined): string | undefined =>
  url !== undefined && URL.canParse(url) ? new URL(url).origin : undefined;

/** A request for http:// is the proxy's to make: it gets the whole URL (RFC 9112 3.2.2). */
function byProxy(
  proxy: Proxy,
  url: URL,
  options: http.RequestOptions,
  agent: http.Agent,
): http.ClientRequest {
  const headers = {
    host: url.host,
    ...(options.headers as http.OutgoingHttpHeaders),
    ...(proxy.authorization ? { "proxy-authorization": proxy.authorization } : {}),
  };
  const path = `${url.origin}${url.pathname}${url.search}`;
  const login =
    url.username === "" ? {} : { auth: `${decoded(url.username)}:${decoded(url.password)}` };
  const at = { host: hostOf(proxy.url), port: portOf(proxy.url), path, headers, agent, ...login };
  const { request } = proxy.url.protocol === "https:" ? https : http;
  return request({ ...options, ...at });
}

/** What a server shows, and what is wrong with it by this machine's authorities and clock. */
export interface ShownCertificate {
  readonly certificate: X509Certificate;
  /** A code of OpenSSL's, or that of another name. */
  readonly problem: string | undefined;
}

/** The certificate that a server shows, by the way that requests would take; nothing is asked of it. Throws in words when there is none. */
export async function lookAtCertificate(url: URL, env: Environment): Promise<ShownCertificate> {
  const proxy = proxyFor(url, env);
  const look = {
    url,
    proxy,
    pins: undefined,
    isOnlyLook: true,
    env,
    opening: new Set<() => void>(),
  };
  const socket = await openSecure(look);
  try {
    const certificate = socket.getPeerX509Certificate();
    if (!certificate) throw new Error(`${url.host} shows no certificate`);
    const error: unknown = socket.authorizationError;
    const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : error;
    return { certificate, problem: socket.authorized ? undefined : String(code) };
  } finally {
    socket.destroy();
  }
}

interface Opening {
  readonly url: URL;
  readonly proxy: Proxy | undefined;
  readonly pins: readonly string[] | undefined;
  /** Whoever answers will do: nothing is sent but a look at its certificate. */
  readonly isOnlyLook?: boolean;
  readonly env: Environment;
  /** Where the way to end it is while it is being made. */
  readonly opening: Set<() => void>;
}

/** A connection on which TLS is spoken with a server that is the one it says, or has the pinned key. Throws in words. */
async function openSecure(wanted: Opening): Promise<tls.TLSSocket> {
  const { url, proxy, pins, isOnlyLook = false, env, opening } = wanted;
  const host = hostOf(url);
  const port = portOf(url);
  const sockets: net.Socket[] = [];
  let isEnded = false;
  const track = (socket: net.Socket): void => {
    socket.on("error", () => {});
    if (isEnded) socket.destroy();
    sockets.push(socket);
  };
  // The one that speaks TLS first: Node.js 20.11 crashes when what is below it goes before it.
  const destroy = (): void => {
    for (const socket of sockets.toReversed()) socket.destroy();
  };
  const end = (): void => {
    isEnded = true;
    destroy();
  };
  opening.add(end);
  const timer = setTimeout(end, CONNECT_MS);
  try {
    const through =
      proxy && (await openTunnel(proxy, { host, port }, () => secureContext(env), track));
    const socket = tls.connect({
      ...(through ? { socket: through, host } : { host, port }),
      ...(net.isIP(host) ? {} : { servername: host }),
      ...(pins || isOnlyLook ? { rejectUnauthorized: false } : {}),
      ...(pins ? {} : { secureContext: secureContext(env) }),
      ALPNProtocols: ["http/1.1"],
    });
    track(socket);
    await secured(socket);
    if (pins) requirePin(socket, pins, host);
    return socket;
  } catch (error) {
    destroy();
    if (isEnded) {
      const via = proxy ? ` by proxy ${proxy.name}` : "";
      throw new Error(`no connection to ${url.host}${via} within ${CONNECT_MS / 1000} s`, {
        cause: error,
      });
    }
    // A file of authorities may have been mended meanwhile.
    if (isUnknownAuthority(error)) forgetAuthorities();
    const meaning = meaningOf(error, host);
    throw meaning === undefined ? error : new Error(meaning, { cause: error });
  } finally {
    clearTimeout(timer);
    opening.delete(end);
  }
}

const secured = (socket: tls.TLSSocket): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once("secureConnect", resolve);
    socket.once("error", reject);
    socket.once("close", () =>
      reject(new Error("the connection was closed while TLS was agreed on")),
    );
  });

function requirePin(socket: tls.TLSSocket, pins: readonly string[], host: string): void {
  const certificate: X509Certificate | undefined = socket.getPeerX509Certificate();
  const pin = certificate && pinOf(certificate);
  if (pin !== undefined && pins.includes(pin)) return;
  throw new Error(
    `the server at ${host} has another key (${pin ?? "none"}) than the one pinned by PUMICE_PIN: if it was renewed on purpose, enrol again; else somebody is in between`,
  );
}
