import type { Context, Hono } from "hono";
import type { Deps } from "../domain/deps.ts";
import type { Env } from "../http/route.ts";
import type { View } from "./view.ts";

/** `/devices/HOSTNAME`, its tabs and its forms; what they need is loaded when they are asked for. */
export function devicePages(
  app: Hono<Env>,
  deps: Deps,
  viewOf: (c: Context<Env>) => Promise<View>,
): void {
  const tabs = () => import("./device-tabs.tsx");
  const forms = () => import("./device-form-routes.ts");
  app.get("/devices/:hostname", async (c) =>
    (await tabs()).showDevice(deps, c, c.req.param("hostname"), await viewOf(c)),
  );
  app.get("/devices/:hostname/jobs", async (c) =>
    (await tabs()).showJobs(deps, c, c.req.param("hostname"), await viewOf(c)),
  );
  app.get("/devices/:hostname/dictionary", async (c) =>
    (await tabs()).showDictionary(deps, c, c.req.param("hostname"), await viewOf(c)),
  );
  app.get("/devices/:hostname/configuration", async (c) =>
    (await tabs()).showConfiguration(deps, c, c.req.param("hostname"), await viewOf(c)),
  );
  app.get("/devices/:hostname/history", async (c) =>
    (await tabs()).showHistory(deps, c, c.req.param("hostname"), await viewOf(c)),
  );
  app.post("/devices/:hostname/health", async (c) =>
    (await forms()).setHealthByForm(deps, c, c.req.param("hostname")),
  );
  app.post("/devices/:hostname/health-check", async (c) =>
    (await forms()).checkByForm(deps, c, c.req.param("hostname")),
  );
  app.post("/devices/:hostname/reservation", async (c) =>
    (await forms()).reserveByForm(deps, c, c.req.param("hostname")),
  );
  app.post("/devices/:hostname/dictionary", async (c) =>
    (await forms()).dictionaryByForm(deps, c, c.req.param("hostname"), await viewOf(c)),
  );
  app.get("/devices/:hostname/console", async (c) => {
    const { showConsole } = await import("./console-routes.tsx");
    return showConsole(deps, c, c.req.param("hostname"), await viewOf(c));
  });
  app.post("/devices/:hostname/console", async (c) => {
    const { reserveForConsole } = await import("./console-routes.tsx");
    return reserveForConsole(deps, c, c.req.param("hostname"));
  });
}
