import type { Hono } from "hono";
import type { Env } from "../../control-plane/http/route.ts";
import type { Deps } from "../../control-plane/domain/deps.ts";
import type { Surface } from "../compat/row.ts";

/** What was asked and how it ended: `ok`, a status (`405`), `fault 400`, `exit 1`. */
export interface Call {
  readonly surface: Surface;
  readonly name: string;
  readonly outcome: string;
}

/** The calls of the test that is just running; nobody listens outside of tests of LAVA's surfaces. */
let listener: ((call: Call) => void) | undefined;

/** Whoever is told of each call from now on; undefined: nobody. */
export function listenToCalls(next: ((call: Call) => void) | undefined): void {
  listener = next;
}

/** Says that this has really been asked for and answered; docs/compatibility.md is made of it when the test passes. */
export function recorded(surface: Surface, name: string, outcome = "ok"): void {
  listener?.({ surface, name, outcome });
}

/** The same app, which tells of each of LAVA's calls that it is asked: by its route, or by its method of XML-RPC. */
export function recordingLavaCalls(app: Hono<Env>, deps: Deps): void {
  const answer = app.fetch.bind(app);
  app.fetch = async (request, ...rest) => {
    const where = new URL(request.url).pathname;
    if (!listener || !/^\/(RPC2|api\/v0\.2|scheduler|results)(\/|$)/.test(where)) {
      return answer(request, ...rest);
    }
    // Read at once: who refuses a body that it has not read waits until nobody reads it.
    const asked = request.method === "POST" ? request.clone().text() : undefined;
    asked?.catch(() => {});
    const response = await answer(request, ...rest);
    if (/^\/RPC2\/?$/.test(where)) await recordMethod(asked, response.clone());
    else await recordRoute(deps, request.method, where, asked, response.status);
    return response;
  };
}

async function recordMethod(asked: Promise<string> | undefined, response: Response): Promise<void> {
  if (!asked || response.status !== 200) return;
  const [{ readCall }, { readAnswer }] = await Promise.all([
    import("../../control-plane/lava/xmlrpc/read-call.ts"),
    import("./xmlrpc-client.ts"),
  ]);
  const body = await asked;
  // What is no call at all is refused by no method.
  if (!body.includes("<methodName>")) return;
  try {
    const answered = readAnswer(await response.text());
    const { name: method } = readCall(body);
    recorded("XML-RPC", method, "code" in answered ? `fault ${answered.code}` : "ok");
  } catch {
    // Nor is what nobody can read.
  }
}

async function recordRoute(
  deps: Deps,
  method: string,
  where: string,
  asked: Promise<string> | undefined,
  status: number,
): Promise<void> {
  const route = await routeOf(deps, method, where);
  if (route === undefined) return;
  const outcome = status >= 200 && status < 400 ? "ok" : String(status);
  if (route.startsWith("/api/v0.2/")) {
    return recorded("REST", `${method} ${route.slice("/api/v0.2".length)}`, outcome);
  }
  if (!route.startsWith("/scheduler/internal/")) {
    return recorded("URLs", `${method} ${route}`, outcome);
  }
  const isAboutJob = method === "POST" && route.endsWith("/jobs/:id/");
  const state = isAboutJob ? new URLSearchParams(await asked).get("state") : null;
  const what = state === null ? "" : ` ${state.toUpperCase()}`;
  recorded("Stock workers", `${method} ${route}${what}`, outcome);
}

/** The pattern of the route that answers, or that refuses the method for it. */
async function routeOf(deps: Deps, method: string, where: string): Promise<string | undefined> {
  const { lavaApp } = await import("../../control-plane/lava/lava-app.ts");
  const [handlers] = (routers.get(deps) ?? remember(deps, lavaApp(deps))).match(method, where);
  const routes = handlers.map(([[, { path, method: of }]]) => ({ path, of }));
  return (
    routes.find(({ of }) => of !== "ALL") ?? routes.findLast(({ path }) => !path.endsWith("*"))
  )?.path;
}

const routers = new WeakMap<Deps, Hono<Env>["router"]>();
function remember(deps: Deps, { router }: Hono<Env>): Hono<Env>["router"] {
  routers.set(deps, router);
  return router;
}
