import type { Hono } from "hono";
import { deleteCookie, setCookie } from "hono/cookie";
import { requireOwnPage } from "../http/principal-of.ts";
import { readText } from "../http/read-body.ts";
import type { Env } from "../http/route.ts";
import { isHttps } from "../http/session.ts";
import { isOwnPath } from "./own-path.ts";
import { THEME_COOKIE, THEMES } from "./view.ts";

const YEAR_SECONDS = 365 * 24 * 60 * 60;

/**
 * `POST /theme` (form field `theme`: `light`, `dark`, or anything else for what the system prefers): keeps it in the browser, and
 * goes back to the page it was sent from. A cookie, so that the next page comes in its colours at once.
 */
export function themeRoutes(app: Hono<Env>): void {
  app.post("/theme", async (c) => {
    requireOwnPage(c.req.raw);
    const asked = new URLSearchParams(await readText(c.req.raw, 256)).get("theme");
    const theme = THEMES.find((one) => one === asked);
    const options = { path: "/", sameSite: "Lax", secure: isHttps(c.req.raw) } as const;
    if (theme) setCookie(c, THEME_COOKIE, theme, { ...options, maxAge: YEAR_SECONDS });
    else deleteCookie(c, THEME_COOKIE, options);
    return c.redirect(pathOf(c.req.header("referer")), 303);
  });
}

/** Where somebody came from, or `/`: a Referer is a browser's word, no mistake of theirs. */
function pathOf(address = ""): string {
  if (!URL.canParse(address)) return "/";
  const { pathname, search } = new URL(address);
  const path = pathname + search;
  return isOwnPath(path) ? path : "/";
}
