import type { Hono } from "hono";
import * as v from "valibot";
import type { Deps } from "../domain/deps.ts";
import { listDeviceTypes } from "../domain/device-types.ts";
import { listDevices } from "../domain/devices.ts";
import { readQueue } from "../domain/queue.ts";
import { findRollout } from "../domain/rollout-record.ts";
import { listWorkers } from "../domain/workers.ts";
import { parse } from "../http/read-body.ts";
import type { Env } from "../http/route.ts";
import { DevicesPage } from "./devices-page.tsx";
import { optionalText } from "./page-query.ts";
import { QueuePage } from "./queue-page.tsx";
import type { ViewOf } from "./view.ts";
import { WorkersPage } from "./workers-page.tsx";

const auditQuery = v.object({
  ...{ kind: optionalText, name: optionalText, who: optionalText },
  ...{ from: optionalText, to: optionalText, cursor: optionalText },
});
const queueQuery = v.object({ device_type: optionalText });

/** The queue, the lists of devices and workers, the audit log. */
export function labPages(app: Hono<Env>, deps: Deps, viewOf: ViewOf): void {
  app.get("/queue", async (c) => {
    const { device_type: type } = parse(queueQuery, c.req.query(), "query");
    const { principal } = c.var;
    const { device_types } = await listDeviceTypes(deps, principal, { limit: 200 });
    const types = device_types.filter(({ name, queued }) => queued > 0 || name === type);
    const queue = type === undefined ? undefined : await readQueue(deps, principal, type, 100);
    return c.html(<QueuePage view={await viewOf(c)} types={types} queue={queue} />);
  });
  app.get("/devices", async (c) => {
    const { devices, next_cursor } = await listDevices(deps, c.var.principal, {
      cursor: c.req.query("cursor"),
    });
    return c.html(
      <DevicesPage view={await viewOf(c)} devices={devices} nextCursor={next_cursor} />,
    );
  });
  app.get("/audit", async (c) => {
    const query = parse(auditQuery, c.req.query(), "query");
    const { readAudit } = await import("../domain/audit.ts");
    const { AuditPage } = await import("./audit-page.tsx");
    const page = await readAudit(deps, c.var.principal, query);
    return c.html(<AuditPage view={await viewOf(c)} page={page} query={query} />);
  });
  app.get("/workers", async (c) => {
    const { workers, next_cursor } = await listWorkers(deps, c.var.principal, {
      cursor: c.req.query("cursor"),
    });
    const rollout = (await findRollout(deps))?.data;
    const page = { view: await viewOf(c), workers, rollout, nextCursor: next_cursor };
    return c.html(<WorkersPage {...page} />);
  });
  workerPages(app, deps, viewOf);
}

/** `/workers/NAME`, its texts and its forms; what they need is loaded when they are asked for. */
function workerPages(app: Hono<Env>, deps: Deps, viewOf: ViewOf): void {
  const rules = () => import("./worker-routes.tsx");
  app.get("/workers/:name", async (c) =>
    (await rules()).showWorker(deps, c, c.req.param("name"), await viewOf(c)),
  );
  app.post("/workers/:name/health", async (c) =>
    (await rules()).setHealthByForm(deps, c, c.req.param("name")),
  );
  app.get("/workers/:name/texts/:text", async (c) =>
    (await rules()).showWorkerText(deps, c, c.req.param("name"), await viewOf(c)),
  );
  app.post("/workers/:name/texts/:text", async (c) =>
    (await rules()).putTextByForm(deps, c, c.req.param("name"), await viewOf(c)),
  );
}
