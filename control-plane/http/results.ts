import * as v from "valibot";
import type { ExportFormat } from "#protocol/results.ts";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import { parse } from "./read-body.ts";
import { jobIdOf, pageQuery, queryNumber, routes, type RouteContext } from "./route.ts";

/** Of a job with several attempts; the last one when not said. */
const jobQuery = v.object({ attempt: v.optional(queryNumber) });
const casesQuery = v.object({ ...jobQuery.entries, ...pageQuery.entries });

/** `/api/v1/jobs/ID`: suites, cases, metadata, and all of it for other programs. */
export function resultRoutes(deps: Deps) {
  const app = routes();
  const load = () => import("../domain/results/suites.ts");
  const ofJob = (c: RouteContext) => ({
    id: jobIdOf(c),
    attempt: parse(jobQuery, c.req.query(), "query").attempt,
  });
  app.get("/jobs/:id/suites", async (c) => {
    const { listSuites } = await load();
    return c.json(await listSuites(deps, c.var.principal, ofJob(c)));
  });
  app.get("/jobs/:id/suites/:suite/cases", async (c) => {
    const { listCases } = await load();
    const page = parse(casesQuery, c.req.query(), "query");
    return c.json(await listCases(deps, c.var.principal, ofJob(c), c.req.param("suite"), page));
  });
  app.get("/jobs/:id/metadata", async (c) => {
    const { readMetadata } = await load();
    return c.json(await readMetadata(deps, c.var.principal, ofJob(c)));
  });
  app.get("/jobs/:id/:file{results\\.[a-z.]+}", (c) =>
    exported(deps, c, ofJob(c), c.req.param("file")),
  );
  app.get("/jobs/:id/suites/:suite/:file{results\\.[a-z.]+}", (c) =>
    exported(deps, c, { ...ofJob(c), suite: c.req.param("suite") }, c.req.param("file")),
  );
  return app;
}

/** What a gateway in front of us carries at once; where there is one, a longer text goes by the blobs. */
const AT_ONCE_CHARS = 2_000_000;
const LINK_SECONDS = 15 * 60;

async function exported(
  deps: Deps,
  c: RouteContext,
  what: { id: number; attempt?: number | undefined; suite?: string },
  file: string,
): Promise<Response> {
  const { EXPORT_FORMATS } = await import("#protocol/results.ts");
  const format = formatOf(file, EXPORT_FORMATS);
  const { exportResults } = await import("../domain/results/export-results.ts");
  const { mediaType, text } = await exportResults(deps, c.var.principal, what, format);
  const encoded = new TextEncoder();
  const pieces = text[Symbol.asyncIterator]();
  if (deps.settings.blobOrigin === undefined) {
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { done, value } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(encoded.encode(value));
      },
      cancel: () => void pieces.return?.(),
    });
    return c.body(body, 200, { "content-type": mediaType });
  }
  const whole: string[] = [];
  let chars = 0;
  for await (const piece of text) {
    whole.push(piece);
    chars += piece.length;
  }
  if (chars <= AT_ONCE_CHARS) return c.body(whole.join(""), 200, { "content-type": mediaType });
  const bytes = encoded.encode(whole.join(""));
  const key = `jobs/${what.id}/export/${deps.system.hash(bytes).slice(0, 32)}.${format}`;
  await deps.blobs.put(key, bytes);
  return c.redirect((await deps.blobs.signGet(key, LINK_SECONDS)).url, 303);
}

/** `results.junit.xml` is JUnit. */
function formatOf(file: string, formats: readonly ExportFormat[]): ExportFormat {
  const [, name = "", xml] = /^results\.([a-z]+)(\.xml)?$/.exec(file) ?? [];
  const found = formats.find((format) => format === name);
  if (found && (xml === undefined || found === "junit")) return found;
  const known = formats.map((format) => `results.${format}`).join(", ");
  throw new AppError("not_found", `there is no ${file}: expected ${known}`);
}
