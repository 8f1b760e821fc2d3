import * as v from "valibot";
import type { LogPage } from "#protocol/api.ts";
import { levelOf, lineText } from "#protocol/log-text.ts";
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
  format: v.optional(v.picklist(["json", "yaml", "ndjson", "text"])),
});

/**
 * `/api/v1/jobs/ID/log`: a page as JSON, or the whole log (or its range) as LAVA's YAML, as JSON lines, or as text.
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
      return new Response(logText(deps, principal, id, { ...range, attempt }, LINE[chosen]), {
        headers: {
          "content-type": `${MEDIA_TYPE[chosen]}; charset=utf-8`,
          "x-content-type-options": "nosniff",
        },
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

type AnyRecord = LogPage["records"][number];
/** One record a line is JSON; as an item of a list it is LAVA's log (DISPATCHER.md 7.1). */
const LINE = {
  yaml: (record: AnyRecord) => `- ${JSON.stringify(record)}\n`,
  ndjson: (record: AnyRecord) => `${JSON.stringify(record)}\n`,
  text: textLine,
};
const MEDIA_TYPE = { yaml: "application/yaml", ndjson: "application/x-ndjson", text: "text/plain" };

/** The log page by page, each read when the one before has been taken. */
function logText(
  deps: Deps,
  principal: Principal,
  id: number,
  { start = 0, ...range }: LogRange,
  lineOf: (record: AnyRecord) => string,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let next = start;
  return new ReadableStream({
    async pull(controller) {
      const { records, ...page } = await readLog(deps, principal, id, { ...range, start: next });
      next = page.next;
      if (records.length === 0) return controller.close();
      const text = records.map(lineOf).join("");
      controller.enqueue(encoder.encode(text));
    },
  });
}

/** `2026-03-01T12:00:00.123Z target   text`, with no control character of the DUT's; what it wrote in several lines is set in. */
function textLine(record: AnyRecord): string {
  const time = /^[\d-]{10}T[\d:]{8}\.\d{3}/.exec(String(record["dt"]))?.[0];
  const text = lineText(record).replaceAll("\n", "\n  ");
  return `${time === undefined ? "-" : `${time}Z`} ${levelOf(record).padEnd(9)} ${text}\n`;
}
