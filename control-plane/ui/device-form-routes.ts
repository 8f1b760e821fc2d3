import type { Context } from "hono";
import * as v from "valibot";
import { extendReservationSchema, makeReservationSchema } from "#protocol/reservations.ts";
import { DEVICE_HEALTHS } from "#protocol/states.ts";
import type { Deps } from "../domain/deps.ts";
import { putBackDeviceText } from "../domain/device-texts.ts";
import { setDeviceHealth } from "../domain/devices.ts";
import { forceHealthCheck } from "../domain/force-check.ts";
import { requireUser } from "../domain/principal.ts";
import { endReservation, extendReservation, makeReservation } from "../domain/reservations.ts";
import { parse, readText } from "../http/read-body.ts";
import { queryNumber, type Env } from "../http/route.ts";

const MAX_FORM_BYTES = 16 * 1024;

const reason = v.optional(v.pipe(v.string(), v.trim(), v.maxLength(1000)), "");
const healthForm = v.object({ health: v.picklist(DEVICE_HEALTHS), reason });
const hours = v.pipe(
  v.string("expected a number of hours"),
  v.regex(/^\d{1,4}(\.\d{1,4})?$/, "expected a number of hours, such as 2 or 0.5"),
  v.transform((text) => Math.round(Number(text) * 3600)),
);
const reservationForm = v.variant(
  "do",
  [
    v.object({ do: v.literal("reserve"), hours, reason }),
    v.object({ do: v.literal("extend"), hours }),
    v.object({ do: v.literal("release") }),
  ],
  "expected reserve, extend or release",
);
const putBackForm = v.object({ put_back: queryNumber });

/** The forms of a device's page: each does what the API's call of that name does, and leads back. */
export async function setHealthByForm(
  deps: Deps,
  c: Context<Env>,
  hostname: string,
): Promise<Response> {
  const user = requireUser(c.var.principal);
  const { health, reason: why } = parse(healthForm, await fieldsOf(c), "form");
  const wanted = { health, reason: why === "" ? undefined : why };
  await setDeviceHealth(deps, user, hostname, wanted);
  return back(c, hostname);
}

export async function checkByForm(
  deps: Deps,
  c: Context<Env>,
  hostname: string,
): Promise<Response> {
  await forceHealthCheck(deps, requireUser(c.var.principal), hostname);
  return back(c, hostname);
}

export async function reserveByForm(
  deps: Deps,
  c: Context<Env>,
  hostname: string,
): Promise<Response> {
  const user = requireUser(c.var.principal);
  const form = parse(reservationForm, await fieldsOf(c), "form");
  if (form.do === "release") await endReservation(deps, user, hostname);
  else if (form.do === "extend") {
    const { seconds } = parse(extendReservationSchema, { seconds: form.hours }, "form");
    await extendReservation(deps, user, hostname, seconds);
  } else {
    const request = { device: hostname, seconds: form.hours, reason: form.reason };
    await makeReservation(deps, user, parse(makeReservationSchema, request, "form"));
  }
  return back(c, hostname);
}

/** An older version of its dictionary becomes the current one. */
export async function putBackByForm(
  deps: Deps,
  c: Context<Env>,
  hostname: string,
): Promise<Response> {
  const user = requireUser(c.var.principal);
  const { put_back: version } = parse(putBackForm, await fieldsOf(c), "form");
  await putBackDeviceText(deps, user, hostname, version);
  return back(c, hostname, "/dictionary");
}

const fieldsOf = async (c: Context<Env>): Promise<Record<string, string>> =>
  Object.fromEntries(new URLSearchParams(await readText(c.req.raw, MAX_FORM_BYTES)));

const back = (c: Context<Env>, hostname: string, tab = ""): Response =>
  c.redirect(`/devices/${encodeURIComponent(hostname)}${tab}`, 303);
