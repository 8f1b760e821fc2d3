import { JobFailure } from "../../pipeline/job-failure.ts";
import { askHttp } from "./ask-http.ts";
import { onOff, type Outlet, type PowerIo } from "./outlet.ts";

/**
 * Asks a pdudaemon, by HTTP, for a port of one of its switches: the address is `http://DAEMON:16421/SWITCH`. It
 * answers when it has taken the order, not when the switch has obeyed: what it can't do is in its own log only.
 */
export const set = (outlet: Outlet, on: boolean, io: PowerIo): Promise<void> =>
  order(outlet, onOff(on), {}, io);

export async function get(): Promise<boolean> {
  const message = "pdudaemon can't be asked whether a port is on";
  throw new JobFailure("Configuration", message);
}

/** Left to the daemon, which carries out orders one by one: an "on" could come before its "off" was done. */
export const cycle = (outlet: Outlet, delaySeconds: number, io: PowerIo): Promise<void> =>
  order(outlet, "reboot", { delay: String(Math.ceil(delaySeconds)) }, io);

async function order(
  outlet: Outlet,
  what: "on" | "off" | "reboot",
  more: Record<string, string>,
  io: PowerIo,
): Promise<void> {
  const url = new URL(outlet.address);
  const hostname = decodeURIComponent(url.pathname.slice(1));
  url.pathname = "/";
  const query = new URLSearchParams({ hostname, port: outlet.index, ...more });
  await askHttp({ ...outlet, address: url.href }, `/power/control/${what}?${query}`, io);
}
