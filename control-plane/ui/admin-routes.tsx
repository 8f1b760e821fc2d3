import type { Context, Hono } from "hono";
import type { Deps } from "../domain/deps.ts";
import type { Env } from "../http/route.ts";
import type { View, ViewOf } from "./view.ts";

type Handler = (deps: Deps, c: Context<Env>, view: View) => Promise<Response>;
type Handlers = Readonly<Record<string, Handler>>;

// Loaded when they are asked for: few requests are an administrator's.
const people = async (): Promise<Handlers> => (await import("./admin-people.tsx")).handlers;
const grants = async (): Promise<Handlers> => (await import("./admin-grants.tsx")).handlers;
const rollouts = async (): Promise<Handlers> => (await import("./admin-rollouts.tsx")).handlers;
const notices = async (): Promise<Handlers> => (await import("./admin-notices.tsx")).handlers;
const lab = async (): Promise<Handlers> => (await import("./admin-lab.tsx")).handlers;

/** Each page and each form of `/admin`, by the module that answers it. The name of the handler is the method and the path. */
const ROUTES: readonly [load: () => Promise<Handlers>, ...routes: string[]][] = [
  [lab, "GET /admin", "GET /admin/settings", "POST /admin/settings"],
  [people, "GET /admin/users", "POST /admin/users", "GET /admin/users/:name"],
  [people, "POST /admin/users/:name", "POST /admin/users/:name/group"],
  [people, "POST /admin/users/:name/password-link", "POST /admin/users/:name/sign-out"],
  [people, "POST /admin/users/:name/unlink", "GET /admin/groups", "POST /admin/groups"],
  [people, "GET /admin/groups/:name", "POST /admin/groups/:name"],
  [people, "POST /admin/groups/:name/member", "POST /admin/groups/:name/remove"],
  [grants, "GET /admin/permissions", "GET /admin/permissions/:kind/:name"],
  [grants, "POST /admin/permissions", "GET /admin/tokens", "POST /admin/tokens"],
  [grants, "POST /admin/tokens/revoke"],
  [rollouts, "GET /admin/releases", "POST /admin/releases/start", "POST /admin/releases/next"],
  [rollouts, "POST /admin/releases/stop", "POST /admin/releases/remove"],
  [rollouts, "POST /admin/releases/pin"],
  [notices, "GET /admin/notices", "POST /admin/notices/replay", "POST /admin/webhooks"],
  [notices, "POST /admin/webhooks/remove", "POST /admin/webhooks/enable"],
];

/** `/admin`: users, groups, permissions, tokens, roll-outs, notices and settings. Who may is what the domain says. */
export function adminPages(app: Hono<Env>, deps: Deps, viewOf: ViewOf): void {
  for (const [load, ...routes] of ROUTES) {
    for (const route of routes) {
      const [method = "", path = ""] = route.split(" ");
      app.on(method, path, async (c) => {
        const handler = (await load())[route];
        if (!handler) throw new Error(`nobody answers ${route}`);
        return handler(deps, c, await viewOf(c));
      });
    }
  }
}
