import type { Context, Hono } from "hono";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import type { Principal } from "../domain/principal.ts";
import type { Env } from "../http/route.ts";
import type { View } from "./view.ts";

const JOBS_OF_DEVICE = 20;
const CHANGES = 30;

/** `/devices/HOSTNAME` and `/devices/HOSTNAME/console`; what they need is loaded when they are asked for. */
export function devicePages(
  app: Hono<Env>,
  deps: Deps,
  viewOf: (c: Context<Env>) => Promise<View>,
): void {
  app.get("/devices/:hostname", async (c) => {
    const { principal } = c.var;
    const { devicePowers } = await import("../domain/device-powers.ts");
    const { device: record, powers } = await devicePowers(deps, principal, c.req.param("hostname"));
    const { hostname } = record;
    const { getDevice } = await import("../domain/devices.ts");
    const { listJobs } = await import("../domain/jobs.ts");
    const { deviceHistory } = await import("../domain/histories.ts");
    const { nextCheck } = await import("../domain/next-check.ts");
    const { listPhotos } = await import("../domain/device-photos.ts");
    const { DevicePage } = await import("./device-page.tsx");
    const [view, device, configuration, { jobs }, { changes }, { photos }, check] =
      await Promise.all([
        viewOf(c),
        getDevice(deps, principal, hostname),
        configurationOrWhyNot(deps, principal, hostname),
        listJobs(deps, principal, { device: hostname, limit: JOBS_OF_DEVICE }),
        deviceHistory(deps, principal, hostname, { limit: CHANGES }),
        listPhotos(deps, principal, hostname),
        nextCheck(deps, record),
      ]);
    const shown = { view, device, configuration, jobs, changes, photos, check, powers };
    const grants = powers.administers ? (record.permissions ?? {}) : undefined;
    return c.html(<DevicePage {...shown} grants={grants} />);
  });
  app.get("/devices/:hostname/console", async (c) => {
    const { showConsole } = await import("./console-routes.tsx");
    return showConsole(deps, c, c.req.param("hostname"), await viewOf(c));
  });
  app.post("/devices/:hostname/console", async (c) => {
    const { reserveForConsole } = await import("./console-routes.tsx");
    return reserveForConsole(deps, c, c.req.param("hostname"));
  });
}

/** A page is shown of a device that does not render, too. */
async function configurationOrWhyNot(deps: Deps, principal: Principal, hostname: string) {
  try {
    const { deviceConfiguration } = await import("../domain/device-texts.ts");
    return await deviceConfiguration(deps, principal, hostname);
  } catch (error) {
    if (error instanceof AppError) return `# ${error.message}`;
    throw error;
  }
}
