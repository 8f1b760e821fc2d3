import type { Context, Next } from "hono";
import { isHttps } from "./session.ts";

/** A lab's name may serve other things, too, and a browser remembers this for all of its ports: no more than a month. */
const HSTS = `max-age=${30 * 24 * 3600}`;

/** What no page of ours asks a browser for. */
const NO_POWERS = ["camera", "display-capture", "geolocation", "microphone", "payment", "usb"]
  .map((power) => `${power}=()`)
  .join(", ");

/**
 * Gives every answer, whoever makes it, what browsers have to know: it is what its type says, no other site may show or load
 * it, nothing in it may run. Pages say more of their own (ui/security-headers.ts), which stays.
 */
export async function baseHeaders(c: Context, next: Next): Promise<void> {
  await next();
  const { headers } = c.res;
  const otherwise: Record<string, string> = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": NO_POWERS,
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    ...(isHttps(c.req.raw) ? { "strict-transport-security": HSTS } : {}),
  };
  for (const [name, value] of Object.entries(otherwise)) {
    // Not `c.header`: of an answer that is made it makes another one, each time.
    if (!headers.has(name)) headers.set(name, value);
  }
}
