import type { Context } from "hono";
import { listConsoles } from "../domain/consoles.ts";
import type { Deps } from "../domain/deps.ts";
import { devicePowers } from "../domain/device-powers.ts";
import { makeReservation } from "../domain/reservations.ts";
import type { Env } from "../http/route.ts";
import { ConsolePage } from "./console-page.tsx";
import type { View } from "./view.ts";

const HOUR_SECONDS = 3600;

/** `/devices/HOSTNAME/console`, where a browser is the console's terminal. What its buttons do are calls of the API. */
export async function showConsole(
  deps: Deps,
  c: Context<Env>,
  hostname: string,
  view: View,
): Promise<Response> {
  const { principal } = c.var;
  const { device, powers } = await devicePowers(deps, principal, hostname);
  const { consoles } = await listConsoles(deps, principal, hostname);
  return c.html(
    <ConsolePage
      view={view}
      hostname={device.hostname}
      isUser={view.user !== undefined && view.archive !== true}
      powers={powers}
      sessions={consoles}
    />,
  ) as Response;
}

/** The device page's "Reserve and open": the page that it leads to opens the console when it comes from here. */
export async function reserveForConsole(
  deps: Deps,
  c: Context<Env>,
  hostname: string,
): Promise<Response> {
  const request = { device: hostname, tags: [], seconds: HOUR_SECONDS, reason: "its console" };
  await makeReservation(deps, c.var.principal, request);
  return c.redirect(`/devices/${encodeURIComponent(hostname)}/console#open`, 303);
}
