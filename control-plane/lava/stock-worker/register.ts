import type { Context } from "hono";
import * as v from "valibot";
import { labName } from "#protocol/lab.ts";
import { AppError } from "../../domain/app-error.ts";
import type { Deps } from "../../domain/deps.ts";
import { labSettings } from "../../domain/lab-settings.ts";
import { registerStock } from "../../domain/stock-register.ts";
import { clientAddress, fromOf } from "../../http/client-address.ts";
import { adminBy } from "./admin-by.ts";
import { isInNetworks } from "./networks.ts";
import { bad } from "./refusal.ts";

/** What proxies add. */
const FORWARDED = ["x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded", "via"];

/**
 * A worker that registers itself (API.md 1.2): by an administrator's name and password, or without from a network of the setting
 * `stock_workers`. Throws `forbidden` with LAVA's words.
 */
export async function register(
  deps: Deps,
  c: Context,
  fields: URLSearchParams,
): Promise<{ name: string; token: string }> {
  const name = fields.get("name");
  if (name === null || name === "") throw bad("Missing 'name'");
  if (!v.is(labName, name)) throw bad("Invalid 'name'");
  const address = clientAddress(c);
  const username = fields.get("username");
  if (username !== null && username !== "") {
    const from = fromOf(c);
    const user = await adminBy(deps, { name: username, password: fields.get("password") }, from);
    if (!user) throw new AppError("forbidden", `Unknown user ${username.slice(0, 100)}`);
    return { name, token: await registerStock(deps, { name, address, user }) };
  }
  const { allowed } = (await labSettings(deps)).stock_workers;
  if (allowed.length === 0) throw new AppError("forbidden", "Auto registration is disabled");
  // What a proxy of which nobody told us brings may come from anywhere.
  const { trustedProxies = 0 } = (c.env ?? {}) as { trustedProxies?: number };
  const isHidden = trustedProxies === 0 && FORWARDED.some((name) => c.req.header(name));
  // A page of some other site makes a browser within the network send a form; a worker is no browser.
  const isBrowser = c.req.header("origin") ?? c.req.header("sec-fetch-site");
  if (isHidden || isBrowser !== undefined || !isInNetworks(address, allowed)) {
    throw new AppError("forbidden", `Auto registration is forbidden for '${address}'`);
  }
  return { name, token: await registerStock(deps, { name, address }) };
}
