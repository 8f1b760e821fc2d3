import { BlockList, isIP } from "node:net";

type Environment = Readonly<Record<string, string | undefined>>;

/** A proxy between us and a server. */
export interface Proxy {
  readonly url: URL;
  /** Without user and password, for people. */
  readonly name: string;
  /** The setting that names it. */
  readonly setting: string;
  readonly user: string | undefined;
  /** `Proxy-Authorization`, when its address has a user. */
  readonly authorization: string | undefined;
}

/**
 * The proxy that the environment wants for a URL: `HTTPS_PROXY` or `HTTP_PROXY` by its scheme, else `ALL_PROXY`, none for
 * what `NO_PROXY` names nor for this machine itself. Lower-case names come first, as for curl. Throws for an address that
 * is none, or of a SOCKS proxy.
 */
export function proxyFor(url: URL, env: Environment): Proxy | undefined {
  const own = url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const setting = [own, "ALL_PROXY"].find((name) => valueOf(env, name) !== undefined);
  if (setting === undefined || isLoopback(hostOf(url))) return undefined;
  const exception = exceptionFor(url, env);
  return exception === undefined ? parseProxy(valueOf(env, setting) ?? "", setting) : undefined;
}

/** The entry of `NO_PROXY` for which a URL is asked without a proxy. */
export function exceptionFor(url: URL, env: Environment): string | undefined {
  const entries = (valueOf(env, "NO_PROXY") ?? "").split(/[\s,]+/).filter(Boolean);
  return entries.find((entry) => matches(entry, url));
}

/** The host of a URL, an IPv6 address without its brackets. */
export const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, "");

/** The port of a URL, also when it is its scheme's own. */
export const portOf = (url: URL): number =>
  Number(url.port) || (url.protocol === "https:" ? 443 : 80);

const valueOf = (env: Environment, name: string): string | undefined =>
  env[name.toLowerCase()] || env[name] || undefined;

function parseProxy(text: string, setting: string): Proxy {
  const address = /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || (url.protocol !== "http:" && url.protocol !== "https:") || url.hostname === "") {
    // Not the text itself: it may hold a password.
    const scheme = url ? ` (this is ${url.protocol}//)` : "";
    throw new Error(
      `${setting}: expected the address of an HTTP proxy, http://[USER:PASSWORD@]HOST:PORT${scheme}`,
    );
  }
  const user = decoded(url.username);
  const login = Buffer.from(`${user}:${decoded(url.password)}`).toString("base64");
  return {
    url,
    name: `${url.protocol}//${url.host}`,
    setting,
    user: user === "" ? undefined : user,
    authorization: user === "" ? undefined : `Basic ${login}`,
  };
}

/** A part of a URL without its escapes, as it stands when a `%` in it begins no escape. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** `*`, a host (and all below it), `.domain`, `*.domain`, an address, a network as `10.0.0.0/8`; each but the last with a port, or without. */
function matches(entry: string, url: URL): boolean {
  if (entry === "*") return true;
  const host = hostOf(url).toLowerCase().replace(/\.$/, "");
  if (entry.includes("/")) return isInNetwork(entry, host);
  const [, bracketed, name = "", port] =
    /^(?:\[(.+)\]|([^:]*|.*:.*:.*?))(?::(\d+))?$/.exec(entry) ?? [];
  const isAddress = isIP(entry) !== 0;
  const wanted = isAddress ? entry : (bracketed ?? name);
  if (!isAddress && port !== undefined && Number(port) !== portOf(url)) return false;
  if (isIP(wanted) !== 0) return isIP(host) !== 0 && isInNetwork(`${wanted}/`, host);
  const suffix = wanted.toLowerCase().replace(/^\*?\./, "");
  return suffix !== "" && (host === suffix || host.endsWith(`.${suffix}`));
}

/** A network without a length is one address. */
function isInNetwork(network: string, host: string): boolean {
  const [address = "", length = ""] = network.replace(/[[\]]/g, "").split("/", 2);
  const family = isIP(address);
  if (family === 0 || isIP(host) !== family) return false;
  const bits = length === "" ? (family === 4 ? 32 : 128) : Number(length);
  const list = new BlockList();
  try {
    list.addSubnet(address, bits, family === 4 ? "ipv4" : "ipv6");
  } catch {
    return false;
  }
  return list.check(host, family === 4 ? "ipv4" : "ipv6");
}

function isLoopback(host: string): boolean {
  return (
    host === "localhost" || host.endsWith(".localhost") || host === "::1" || isV4Loopback(host)
  );
}

const isV4Loopback = (host: string): boolean => isIP(host) === 4 && host.startsWith("127.");
