import type { Context } from "hono";
import type { Env } from "../http/route.ts";
import type { Assets } from "./assets.ts";

/** What every page knows: the style sheet's address, who looks at it and when. */
export interface View {
  assets: Pick<Assets, "url">;
  /** Absent before signing in. */
  user?: { name: string; admin: boolean };
  /** The lab is only read. */
  archive?: boolean;
  /** Milliseconds since 1970. */
  now: number;
}

/** The view of a request. */
export type ViewOf = (c: Context<Env>) => Promise<View>;
