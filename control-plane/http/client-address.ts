import type { Context } from "hono";

/** What the wiring knows of a request beside itself. */
export interface Connection {
  /** Of the nearest machine: the client, or a proxy. */
  readonly address?: string | undefined;
  /** How many proxies of the operator's own a request comes through: only what they say of it is believed. */
  readonly trustedProxies?: number;
}

/**
 * Whom a request comes from, as the outermost trusted proxy saw it (`X-Forwarded-For`, of which each adds one at the end).
 * "unknown" where nobody can know.
 */
export const clientAddress = (c: Context): string =>
  addressSeen(c.req.header("x-forwarded-for"), (c.env ?? {}) as Connection);

/** The same of a request that no app has been given. */
export function addressSeen(
  forwardedFor: string | undefined,
  { address = "unknown", trustedProxies = 0 }: Connection,
): string {
  const seen = (forwardedFor ?? "").split(",").map((one) => one.trim());
  const said = trustedProxies > 0 ? seen[Math.max(0, seen.length - trustedProxies)] : undefined;
  return said && /^[\da-fA-F:.]{2,45}$/.test(said) ? said : address;
}

/** Where somebody signs in from. */
export const fromOf = (c: Context): { address: string; browser: string } => ({
  address: clientAddress(c),
  browser: browserName(c.req.header("user-agent") ?? ""),
});

/** `Firefox 140 (X11; Linux x86_64)`; what we don't know stays as it is. */
export function browserName(agent: string): string {
  const system = /^Mozilla\/5\.0 \(([^)]{1,60})\)/.exec(agent)?.[1];
  const [, name, version] =
    ["Edg", "OPR", "Firefox", "Chrome", "Version"]
      .map((one) => new RegExp(`(${one})\\/(\\d+)`).exec(agent))
      .find((found) => found !== null) ?? [];
  if (system === undefined || name === undefined) return agent;
  const known = { Edg: "Edge", OPR: "Opera", Version: "Safari" }[name] ?? name;
  return `${known} ${version} (${system})`;
}
