import type { Hono } from "hono";
import { DEVICE_HEALTHS, DEVICE_STATES } from "#protocol/states.ts";
import * as v from "valibot";
import type { Deps } from "../domain/deps.ts";
import { someDeviceTypeNames } from "../domain/device-types.ts";
import { parse } from "../http/read-body.ts";
import type { Env } from "../http/route.ts";
import { optionalText } from "./page-query.ts";
import type { ViewOf } from "./view.ts";

const auditQuery = v.object({
  ...{ kind: optionalText, name: optionalText, who: optionalText },
  ...{ from: optionalText, to: optionalText, cursor: optionalText },
});
const queueQuery = v.object({ device_type: optionalText, cursor: optionalText });
/** One of these or, as a form sends it, any. */
const optionalOneOf = <const T extends readonly string[]>(options: T) =>
  v.optional(
    v.union([
      v.pipe(
        v.literal(""),
        v.transform(() => undefined),
      ),
      v.picklist(options, `expected ${options.join(", ")}`),
    ]),
  );
const devicesQuery = v.object({
  ...{ text: optionalText, device_type: optionalText, worker: optionalText, tag: optionalText },
  state: optionalOneOf(DEVICE_STATES),
  health: optionalOneOf(DEVICE_HEALTHS),
  cursor: optionalText,
});
/** For so many types `/queue` shows what waits, so many jobs each. */
const QUEUES = 10;
const JOBS_OF_QUEUE = 5;
/** Of which it looks at so many: some are not for everybody. */
const MOST_OF_QUEUE = 25;

/** The queue, the lists of devices and workers, the audit log. */
export function labPages(app: Hono<Env>, deps: Deps, viewOf: ViewOf): void {
  app.get("/queue", async (c) => {
    const { device_type: type, cursor } = parse(queueQuery, c.req.query(), "query");
    const { readQueue, waitingTypes } = await import("../domain/queue.ts");
    const { QueuePage } = await import("./queue-page.tsx");
    const { principal } = c.var;
    const { types, next_cursor } = await waitingTypes(deps, principal, { limit: 100, cursor });
    const queues =
      type === undefined
        ? await Promise.all(
            types
              .slice(0, QUEUES)
              .map(({ name }) => readQueue(deps, principal, name, JOBS_OF_QUEUE, MOST_OF_QUEUE)),
          )
        : [await readQueue(deps, principal, type, 100)];
    const shown = { types, type, queues, nextCursor: next_cursor };
    return c.html(<QueuePage view={await viewOf(c)} {...shown} />);
  });
  app.get("/devices", async (c) => {
    const query = parse(devicesQuery, c.req.query(), "query");
    const { readBoard } = await import("../domain/device-board.ts");
    const { DevicesPage } = await import("./devices-page.tsx");
    const { cursor, ...filter } = query;
    const { principal } = c.var;
    const board = await readBoard(deps, principal, filter, cursor);
    const types = await someDeviceTypeNames(deps, principal);
    return c.html(<DevicesPage view={await viewOf(c)} {...{ board, query, types }} />);
  });
  app.get("/audit", async (c) => {
    const query = parse(auditQuery, c.req.query(), "query");
    const { readAudit } = await import("../domain/audit.ts");
    const { AuditPage } = await import("./audit-page.tsx");
    const page = await readAudit(deps, c.var.principal, query);
    return c.html(<AuditPage view={await viewOf(c)} page={page} query={query} />);
  });
  workerPages(app, deps, viewOf);
  deviceTypePages(app, deps, viewOf);
}

/** `/device-types`, and of each its page and its texts. */
function deviceTypePages(app: Hono<Env>, deps: Deps, viewOf: ViewOf): void {
  const pages = () => import("./device-type-routes.tsx");
  app.get("/device-types", async (c) => (await pages()).showTypes(deps, c, await viewOf(c)));
  app.get("/device-types/:name", async (c) =>
    (await pages()).showType(deps, c, c.req.param("name"), await viewOf(c)),
  );
  for (const which of ["template", "health-check"] as const) {
    app.get(`/device-types/:name/${which}`, async (c) => {
      const asked = { name: c.req.param("name"), which, view: await viewOf(c) };
      return (await pages()).showTypeText(deps, c, asked);
    });
  }
}

/** `/workers`, `/workers/NAME`, its texts and its forms; what they need is loaded when they are asked for. */
function workerPages(app: Hono<Env>, deps: Deps, viewOf: ViewOf): void {
  const rules = () => import("./worker-routes.tsx");
  app.get("/workers", async (c) => (await rules()).showWorkers(deps, c, await viewOf(c)));
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
