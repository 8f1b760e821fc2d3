import type { Context } from "hono";
import { deleteCookie, setCookie } from "hono/cookie";
import { SESSION_SECONDS } from "../domain/sign-in.ts";
import { SESSION_COOKIE } from "./principal-of.ts";

/** Gives the browser a session: no script can read the cookie, no other site can send it with a change. */
export function setSessionCookie(c: Context, token: string): void {
  setCookie(c, SESSION_COOKIE, token, {
    httpOnly: true,
    sameSite: "Lax",
    path: "/",
    maxAge: SESSION_SECONDS,
    secure: isHttps(c),
  });
}

/** Makes the browser forget its session. */
export function clearSessionCookie(c: Context): void {
  deleteCookie(c, SESSION_COOKIE, { path: "/" });
}

const isHttps = (c: Context): boolean =>
  c.req.header("x-forwarded-proto") === "https" || c.req.url.startsWith("https:");
