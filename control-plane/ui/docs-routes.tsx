import type { Context, Hono } from "hono";
import { etag } from "hono/etag";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import type { Principal } from "../domain/principal.ts";
import { openPrincipal } from "../http/open-principal.ts";
import type { Env } from "../http/route.ts";
import { makeView } from "./view.ts";

/**
 * `/docs`: the documentation, for everybody: it says nothing about this lab. Mounted before it is asked who somebody is; who is
 * signed in has the lab's sections above it.
 */
export function docsPages(app: Hono<Env>, deps: Deps): void {
  app.use("/docs/*", etag());
  app.get("/docs", (c) => answer(deps, c));
  app.get("/docs/:page{.*}", (c) => answer(deps, c));
}

async function answer(deps: Deps, c: Context<Env>): Promise<Response> {
  const address = c.req.path;
  // Loaded when somebody reads: most requests are others.
  const site = await (await import("./docs-site.ts")).loadDocsSite();
  const entry = site.find(address);
  if (!entry) {
    // As links stand in the sources, and as people type them.
    const shorter = address.slice(0, 200).replace(/(\/README)?(\.md)?\/?$/, "");
    if (shorter !== address && site.find(shorter)) return c.redirect(shorter, 301);
    throw new AppError("not_found", `there is no page ${address} in the documentation`);
  }
  const body = await site.read(entry);
  if (entry.title === undefined) {
    const isForEver = address.startsWith("/docs/assets/");
    c.header("cache-control", isForEver ? "public, max-age=31536000, immutable" : "no-cache");
    return c.body(body, 200, { "content-type": entry.type ?? "text/plain" });
  }
  c.header("cache-control", "private, no-cache");
  const view = await makeView(deps, c, await whoever(deps, c));
  const { DocsPage } = await import("./docs-page.tsx");
  const html = new TextDecoder().decode(body);
  return c.html(<DocsPage view={view} title={entry.title} html={html} />);
}

/** Who reads; undefined for somebody who is not signed in. */
async function whoever(deps: Deps, c: Context<Env>): Promise<Principal | undefined> {
  try {
    return await openPrincipal(deps, c.req.raw);
  } catch (error) {
    if (error instanceof AppError && error.code === "unauthenticated") return undefined;
    throw error;
  }
}
