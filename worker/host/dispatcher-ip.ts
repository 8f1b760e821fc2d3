import { readFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";

/**
 * The address under which a DUT reaches this worker: `dispatcher_ip` of the worker's settings, else the
 * IPv4 address of the interface with the default route, else any IPv4 address, else one of IPv6 that isn't of one link
 * only, else loopback.
 */
export function dispatcherIp(dispatcher: Readonly<Record<string, unknown>>): string {
  const configured = dispatcher["dispatcher_ip"];
  if (typeof configured === "string" && configured !== "") return configured;
  const interfaces = networkInterfaces();
  const preferred = interfaces[defaultInterface() ?? ""] ?? [];
  const all = [...preferred, ...Object.values(interfaces).flatMap((addresses) => addresses ?? [])];
  const others = all.filter(({ internal, address }) => !internal && !/^fe[89ab]/i.test(address));
  const found = others.find(({ family }) => family === "IPv4") ?? others[0];
  return found?.address ?? "127.0.0.1";
}

/** An address as it stands in a URL, or before a colon: IPv6 in brackets. */
export const inUrl = (address: string): string => (isIPv6(address) ? `[${address}]` : address);

function defaultInterface(): string | undefined {
  try {
    const routes = readFileSync("/proc/net/route", "utf8").split("\n").slice(1);
    return routes.map((line) => line.split("\t")).find(([, to]) => to === "00000000")?.[0];
  } catch {
    return undefined;
  }
}
