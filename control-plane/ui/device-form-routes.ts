import type { Context } from "hono";
import * as v from "valibot";
import { extendReservationSchema, makeReservationSchema } from "#protocol/reservations.ts";
import { DEVICE_HEALTHS } from "#protocol/states.ts";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import { putBackDeviceText, putDictionary } from "../domain/device-texts.ts";
import { setDeviceHealth } from "../domain/devices.ts";
import { forceHealthCheck } from "../domain/force-check.ts";
import { requireUser } from "../domain/principal.ts";
import { endReservation, extendReservation, makeReservation } from "../domain/reservations.ts";
import { parse, readText } from "../http/read-body.ts";
import { queryNumber, type Env } from "../http/route.ts";
import type { View } from "./view.ts";

const MAX_FORM_BYTES = 16 * 1024;
/** A form escapes what it sends: three bytes for one at the most. */
const MAX_TEXT_FORM_BYTES = 3 * 256 * 1024 + 4096;

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
const textForm = v.object({
  text: v.string(),
  comment: v.optional(v.pipe(v.string(), v.trim(), v.maxLength(1000)), ""),
  version: queryNumber,
});
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

/** Another dictionary, or an older version of it; one that is refused is shown again with the reason. */
export async function dictionaryByForm(
  deps: Deps,
  c: Context<Env>,
  hostname: string,
  view: View,
): Promise<Response> {
  const user = requireUser(c.var.principal);
  const fields = await fieldsOf(c, MAX_TEXT_FORM_BYTES);
  if (fields["put_back"] !== undefined) {
    const { put_back: version } = parse(putBackForm, fields, "form");
    await putBackDeviceText(deps, user, hostname, version);
    return back(c, hostname, "/dictionary");
  }
  const { text: given, comment, version } = parse(textForm, fields, "form");
  // A form sends its line breaks as CR LF, whatever was pasted.
  const text = given.replaceAll("\r\n", "\n");
  try {
    await putDictionary(deps, user, hostname, text, { comment, ifVersion: version });
    return back(c, hostname, "/dictionary");
  } catch (error) {
    if (!(error instanceof AppError) || !REFUSED.has(error.code)) throw error;
    c.status(error.code === "invalid" ? 400 : 409);
    const { showDictionary } = await import("./device-tabs.tsx");
    return showDictionary(deps, c, hostname, view, { text, comment, reason: error.message });
  }
}

const REFUSED: ReadonlySet<string> = new Set(["invalid", "conflict"]);

const fieldsOf = async (
  c: Context<Env>,
  mostBytes = MAX_FORM_BYTES,
): Promise<Record<string, string>> =>
  Object.fromEntries(new URLSearchParams(await readText(c.req.raw, mostBytes)));

const back = (c: Context<Env>, hostname: string, tab = ""): Response =>
  c.redirect(`/devices/${encodeURIComponent(hostname)}${tab}`, 303);
