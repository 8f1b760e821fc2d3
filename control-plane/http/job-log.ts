import * as v from "valibot";
import type { Deps } from "../domain/deps.ts";
import { listLogChunks, readLog, waitForLog, type LogRange } from "../domain/job-log.ts";
import { getJob } from "../domain/jobs.ts";
import type { Principal } from "../domain/principal.ts";
import { parse } from "./read-body.ts";
import { jobIdOf, queryNumber, routes } from "./route.ts";

/** Whoever does not know of `poll_seconds` is held at least so long, where nobody is: they ask again at once. */
const MIN_HOLD_SECONDS = 1;
const range = {
  start: v.optional(queryNumber),
  end: v.optional(queryNumber),
  /** Of a job with several attempts; the last one when not said. */
  attempt: v.optional(queryNumber),
  /** Seconds to wait for line `start`. */
  wait: v.optional(queryNumber),
};
const chunksQuery = v.object(range);
const query = v.object({
  ...range,
  format: v.optional(v.picklist(["json", "yaml", "ndjson"])),
});

/**
 * `/api/v1/jobs/ID/log`: a page as JSON, or the whole log (or its range) as LAVA's YAML or as JSON lines.
 * `/api/v1/jobs/ID/log-chunks`: where to fetch the log without us.
 */
export function jobLogRoutes(deps: Deps) {
  const app = routes();
  const { logHoldSeconds } = deps.settings;
  app.get("/jobs/:id/log", async (c) => {
    const id = jobIdOf(c);
    const { wait = 0, format, ...range } = parse(query, c.req.query(), "query");
    const { principal } = c.var;
    const wantsYaml = /^(application|text)\/(x-)?yaml/.test(c.req.header("accept") ?? "");
    const chosen = format ?? (wantsYaml ? "yaml" : "json");
    if (chosen !== "json") {
      // A text that has been begun goes on in the same attempt.
      const { attempt = 1 } = await getJob(deps, principal, id, range.attempt);
      return new Response(logText(deps, principal, id, { ...range, attempt }, PREFIX[chosen]), {
        headers: { "content-type": `${MEDIA_TYPE[chosen]}; charset=utf-8` },
      });
    }
    const waitMs = Math.min(wait, Math.max(MIN_HOLD_SECONDS, logHoldSeconds)) * 1000;
    if (waitMs > 0) await waitForLog(deps, principal, id, range, waitMs, c.req.raw.signal);
    return c.json(await readLog(deps, principal, id, range));
  });
  app.get("/jobs/:id/log-chunks", async (c) => {
    const id = jobIdOf(c);
    const { wait = 0, ...range } = parse(chunksQuery, c.req.query(), "query");
    const { principal } = c.var;
    const waitMs = Math.min(wait, logHoldSeconds) * 1000;
    if (waitMs > 0) await waitForLog(deps, principal, id, range, waitMs, c.req.raw.signal);
    return c.json(await listLogChunks(deps, principal, id, range));
  });
  return app;
}

/** One record a line is JSON; as an item of a list it is LAVA's log (DISPATCHER.md 7.1). */
const PREFIX = { yaml: "- ", ndjson: "" };
const MEDIA_TYPE = { yaml: "application/yaml", ndjson: "application/x-ndjson" };

/** The log page by page, each read when the one before has been taken. */
function logText(
  deps: Deps,
  principal: Principal,
  id: number,
  { start = 0, ...range }: LogRange,
  prefix: string,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let next = start;
  return new ReadableStream({
    async pull(controller) {
      const { records, ...page } = await readLog(deps, principal, id, { ...range, start: next });
      next = page.next;
      if (records.length === 0) return controller.close();
      const text = records.map((record) => `${prefix}${JSON.stringify(record)}\n`).join("");
      controller.enqueue(encoder.encode(text));
    },
  });
}
