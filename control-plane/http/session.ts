import type { Context } from "hono";
import { deleteCookie, setCookie } from "hono/cookie";
import type { Deps } from "../domain/deps.ts";
import type { Session } from "../domain/sign-in.ts";
import { authenticate, findToken, revokeToken } from "../domain/tokens.ts";
import { requireOwnPage, SESSION_COOKIE, sessionToken } from "./principal-of.ts";

/** Page that signs a browser in: with `?code=` of a one-time link, or with a token. */
export const SIGN_IN_PATH = "/sign-in";

/** Browsers keep none for longer. */
const MOST_COOKIE_SECONDS = 400 * 24 * 60 * 60;

/** Gives the browser a session: no script can read the cookie, no other site can send it with a change. */
export function giveSession(c: Context, { token, seconds }: Session): void {
  setCookie(c, SESSION_COOKIE, token, {
    httpOnly: true,
    sameSite: "Lax",
    path: "/",
    maxAge: Math.min(seconds, MOST_COOKIE_SECONDS),
    secure: isHttps(c.req.raw),
  });
}

/** Revokes the session that the request comes with, and makes the browser forget it. @returns the provider it began with. */
export async function endSession(deps: Deps, c: Context): Promise<string | undefined> {
  requireOwnPage(c.req.raw);
  const token = sessionToken(c.req.raw);
  const principal = token === undefined ? undefined : await authenticate(deps, token);
  deleteCookie(c, SESSION_COOKIE, { path: "/" });
  if (token === undefined || principal?.kind !== "session") return undefined;
  const record = await findToken(deps, token);
  await revokeToken(deps, principal, principal.tokenId);
  return record?.provider;
}

/** As the browser sees it: a proxy may speak TLS for us. */
export const isHttps = (request: Request): boolean =>
  request.headers.get("x-forwarded-proto") === "https" || request.url.startsWith("https:");

/** A page of the lab as who asks reaches it, also behind a proxy that ends TLS. */
export function ownUrl({ req }: Context, page: string): URL {
  const url = new URL(page, req.url);
  if (isHttps(req.raw)) url.protocol = "https:";
  return url;
}
