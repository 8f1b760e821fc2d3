import type { Context } from "hono";
import { AppError } from "../domain/app-error.ts";
import type { Env } from "./route.ts";

/** What an archive says to whoever would change it, and on its pages. */
export const ARCHIVE =
  "this lab is an archive: all of it can be read, and it takes no jobs, no workers and no changes";

/** To sign in and out, or to choose the colours, changes nothing of the lab; XML-RPC reads by POST, and asks itself what a call would change. */
const READING_PATHS = new Set([
  "/sign-in",
  "/sign-out",
  "/account/sign-out",
  "/theme",
  "/RPC2",
  "/RPC2/",
]);

/** Lets through what reads. Throws `forbidden` for all else, and for workers. */
export async function readsOnly(c: Context<Env>, next: () => Promise<void>): Promise<void> {
  const { method, path } = c.req;
  const reads = method === "GET" || method === "HEAD" || READING_PATHS.has(path);
  if (!reads || path.startsWith("/api/v1/worker/")) throw new AppError("forbidden", ARCHIVE);
  await next();
}
