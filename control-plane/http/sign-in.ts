import { Hono } from "hono";
import { deleteCookie, setCookie } from "hono/cookie";
import type { Deps } from "../domain/deps.ts";
import { redeemSignIn, SESSION_SECONDS } from "../domain/sign-in.ts";
import { authenticate, revokeToken } from "../domain/tokens.ts";
import { requireOwnPage, SESSION_COOKIE, sessionToken } from "./principal-of.ts";

export const SIGN_IN_PATH = "/sign-in";

/** `/sign-in/CODE` turns a one-time link into a session cookie; `POST /sign-out` ends the session. */
export function signInRoutes(deps: Deps) {
  const app = new Hono();
  app.get(`${SIGN_IN_PATH}/:code`, async (c) => {
    const { token } = await redeemSignIn(deps, c.req.param("code"));
    setCookie(c, SESSION_COOKIE, token, {
      httpOnly: true,
      sameSite: "Lax",
      path: "/",
      maxAge: SESSION_SECONDS,
      secure: isHttps(c.req.raw),
    });
    c.header("referrer-policy", "no-referrer");
    return c.redirect("/", 303);
  });
  app.post("/sign-out", async (c) => {
    requireOwnPage(c.req.raw);
    const token = sessionToken(c.req.raw);
    const principal = token === undefined ? undefined : await authenticate(deps, token);
    if (principal?.kind === "session") await revokeToken(deps, principal, principal.tokenId);
    deleteCookie(c, SESSION_COOKIE, { path: "/" });
    return c.redirect("/", 303);
  });
  return app;
}

const isHttps = (request: Request): boolean =>
  request.headers.get("x-forwarded-proto") === "https" || request.url.startsWith("https:");
