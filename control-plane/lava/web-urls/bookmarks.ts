import type { Deps } from "../../domain/deps.ts";
import { routes } from "../../http/route.ts";

/** LAVA's pages and ours in their place. `:NAME` goes over as it is. */
export const PAGES: readonly (readonly [string, string])[] = [
  ["/scheduler/", "/"],
  ["/scheduler/job/:id", "/jobs/:id"],
  ["/scheduler/job/:id/definition", "/jobs/:id/definition"],
  ["/scheduler/job/:id/multinode_definition", "/jobs/:id/definition"],
  ["/scheduler/job/:id/log_file", "/jobs/:id"],
  ["/scheduler/job/:id/cancel", "/jobs/:id"],
  ["/scheduler/job/:id/resubmit", "/submit?from=:id"],
  ["/scheduler/jobsubmit", "/submit"],
  ["/scheduler/alljobs", "/"],
  ["/scheduler/jobs/active", "/?state=Running"],
  ["/scheduler/myjobs", "/"],
  ["/scheduler/queue", "/queue"],
  ["/scheduler/longestjobs", "/?state=Running"],
  ["/scheduler/failure_report", "/?health=Incomplete"],
  ["/scheduler/alldevices", "/devices"],
  ["/scheduler/alldevices/:which", "/devices"],
  ["/scheduler/device/:hostname", "/devices/:hostname"],
  ["/scheduler/device/:hostname/devicedict", "/devices/:hostname"],
  ["/scheduler/reports", "/reports"],
  ["/scheduler/reports/device/:hostname", "/devices/:hostname"],
  ["/scheduler/device_types", "/devices"],
  ["/scheduler/device_type/:type", "/?device_type=:type"],
  ["/scheduler/allworkers", "/workers"],
  ["/scheduler/worker/:name", "/workers/:name"],
  ["/results", "/tests/latest"],
  ["/results/", "/tests/latest"],
  ["/results/query", "/queries"],
  ["/results/query/:owner{~[^/]+}/:name", "/queries/:owner/:name"],
  ["/results/chart/:rest{.*}", "/queries"],
  ["/results/:id{[0-9.]+}", "/jobs/:id/suites"],
  ["/results/:id{[0-9.]+}/:suite", "/jobs/:id/suites/:suite"],
  ["/results/:id{[0-9.]+}/:suite/:case", "/jobs/:id/suites/:suite/:case"],
];

/** People's bookmarks of LAVA's pages lead to ours, which ask who it is. Nothing is changed by them. */
export function bookmarkRoutes(_deps: Deps) {
  const app = routes();
  for (const [from, to] of PAGES) {
    app.get(from, (c) => {
      const params: Record<string, string> = c.req.param();
      const place = to.replace(/:(\w+)/g, (_whole, name: string) =>
        // LAVA marks the owner of a query by a tilde.
        encodeURIComponent((params[name] ?? "").replace(/^~/, "")),
      );
      return c.redirect(place, 302);
    });
  }
  return app;
}
