import type { Context, Hono } from "hono";
import type { Deps } from "../domain/deps.ts";
import type { Found } from "../domain/search-lab.ts";
import type { Env } from "../http/route.ts";
import type { View, ViewOf } from "./view.ts";

const MAX_CHARS = 200;

/** `/search?q=`: what is named in full is gone to at once, everything else listed. */
export function searchPages(app: Hono<Env>, deps: Deps, viewOf: ViewOf): void {
  app.get("/search", async (c) => show(deps, c, await viewOf(c)));
}

async function show(deps: Deps, c: Context<Env>, view: View): Promise<Response> {
  const text = (c.req.query("q") ?? "").trim().slice(0, MAX_CHARS);
  // Loaded when somebody searches: most requests are others.
  const { searchLab } = await import("../domain/search-lab.ts");
  const { searchDocs } = await import("./search-docs.ts");
  const { SearchPage } = await import("./search-page.tsx");
  const found = await searchLab(deps, c.var.principal, text);
  const path = exactPath(found, text);
  if (path !== undefined) return c.redirect(path, 303);
  const docs = await searchDocs(text);
  return c.html(<SearchPage view={view} text={text} found={found} docs={docs} />) as Response;
}

/** Of a job's number, and of a name that one device or one worker has and nothing else. */
function exactPath(
  { job, devices, workers, deviceTypes }: Found,
  text: string,
): string | undefined {
  if (job) return `/jobs/${job.id}`;
  const paths = [
    ...devices.filter((one) => one.hostname === text).map(() => "/devices"),
    ...workers.filter((one) => one.name === text).map(() => "/workers"),
    ...deviceTypes.filter((one) => one.name === text).map(() => undefined),
  ];
  const [path] = paths;
  return paths.length === 1 && path !== undefined
    ? `${path}/${encodeURIComponent(text)}`
    : undefined;
}
