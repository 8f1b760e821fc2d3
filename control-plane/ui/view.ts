import type { Context } from "hono";
import { getCookie } from "hono/cookie";
import type { Deps } from "../domain/deps.ts";
import type { Principal } from "../domain/principal.ts";
import type { Env } from "../http/route.ts";
import { loadAssets, type Assets } from "./assets.ts";

/** What every page knows: the style sheet's address, who looks at it and when. */
export interface View {
  assets: Pick<Assets, "url">;
  /** Absent before signing in. */
  user?: { name: string; admin: boolean };
  /** The lab is only read. */
  archive?: boolean;
  /** What the browser asked for; as its system prefers when absent. */
  theme?: Theme | undefined;
  /** Milliseconds since 1970. */
  now: number;
}

export const THEMES = ["light", "dark"] as const;
type Theme = (typeof THEMES)[number];
export const THEME_COOKIE = "pumice_theme";

/** The view of a request. */
export type ViewOf = (c: Context<Env>) => Promise<View>;

/** The view of a request whose principal may be known or not. */
export async function makeView(deps: Deps, c: Context, principal?: Principal): Promise<View> {
  const asked = getCookie(c, THEME_COOKIE);
  const view: View = {
    assets: await loadAssets(),
    now: deps.system.now(),
    archive: deps.settings.archive ?? false,
    theme: THEMES.find((theme) => theme === asked),
  };
  if (principal?.kind !== "user" && principal?.kind !== "session") return view;
  return { ...view, user: { name: principal.name, admin: principal.admin } };
}
