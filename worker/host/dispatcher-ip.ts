import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";

/**
 * The address under which a DUT reaches this worker: `dispatcher_ip` of the worker's settings, else the
 * IPv4 address of the interface with the default route, else loopback.
 */
export function dispatcherIp(dispatcher: Readonly<Record<string, unknown>>): string {
  const configured = dispatcher["dispatcher_ip"];
  if (typeof configured === "string" && configured !== "") return configured;
  const interfaces = networkInterfaces();
  const preferred = interfaces[defaultInterface() ?? ""] ?? [];
  const all = [...preferred, ...Object.values(interfaces).flatMap((addresses) => addresses ?? [])];
  return all.find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? "127.0.0.1";
}

function defaultInterface(): string | undefined {
  try {
    const routes = readFileSync("/proc/net/route", "utf8").split("\n").slice(1);
    return routes.map((line) => line.split("\t")).find(([, to]) => to === "00000000")?.[0];
  } catch {
    return undefined;
  }
}
