import { networkInterfaces } from "node:os";
import { dispatcherIp } from "../host/dispatcher-ip.ts";
import { JobFailure } from "../pipeline/job-failure.ts";

type Settings = Readonly<Record<string, unknown>>;

/**
 * The address that what a DUT fetches from listens on: setting `services_address`, else the address under
 * which DUTs reach this worker. Never all of the machine's addresses unless the settings say so (0.0.0.0, or ::).
 *
 * @throws JobFailure Configuration when that is no address of this machine (behind NAT, in a container).
 */
export function servicesAddress(dispatcher: Settings): string {
  const configured = dispatcher["services_address"];
  if (typeof configured === "string" && configured !== "") return configured;
  const ip = dispatcherIp(dispatcher);
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  // All of loopback's addresses are, listed or not.
  if (ip.startsWith("127.") || ip === "::1" || own.some(({ address }) => address === ip)) return ip;
  throw new JobFailure(
    "Configuration",
    `dispatcher_ip ${ip} is no address of this machine: set services_address to the one to listen on (0.0.0.0: all)`,
  );
}

/**
 * A port of the worker's settings, or what it is when not said.
 *
 * @throws JobFailure Configuration when it is no port.
 */
export function servicePort(dispatcher: Settings, name: string, otherwise: number): number {
  const port = Number(dispatcher[name] ?? otherwise);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new JobFailure("Configuration", `${name} '${String(dispatcher[name])}': expected a port`);
}
