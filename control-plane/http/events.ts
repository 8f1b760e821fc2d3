import * as v from "valibot";
import type { Deps } from "../domain/deps.ts";
import { EVENT_KINDS, type EventKind } from "../domain/events/event-sight.ts";
import type { StreamEntry } from "../domain/events/follow-events.ts";
import { parse } from "./read-body.ts";
import { queryNumber, routes } from "./route.ts";

const kinds = v.pipe(
  v.string(),
  v.transform((text) => text.split(",")),
  v.array(v.picklist(EVENT_KINDS, `expected some of ${EVENT_KINDS.join(",")}`)),
);
const query = v.object({
  kind: v.optional(kinds),
  job: v.optional(queryNumber),
  device: v.optional(v.string()),
  worker: v.optional(v.string()),
  /** As the header `Last-Event-ID`; or a time. */
  after: v.optional(v.string()),
  follow: v.optional(v.picklist(["true", "false"])),
});

/** How soon a browser whose stream has ended asks again. */
const RETRY_MS = 2000;

/** `/api/v1/events`: what happens to jobs, devices and workers, as server-sent events. */
export function eventRoutes(deps: Deps) {
  const app = routes();
  app.get("/events", async (c) => {
    const { kind, follow, after, ...filter } = parse(query, c.req.query(), "query");
    const ending = new AbortController();
    const { followEvents } = await import("../domain/events/follow-events.ts");
    const entries = followEvents(deps, c.var.principal, {
      ...filter,
      kinds: kind as readonly EventKind[] | undefined,
      after: c.req.header("last-event-id") || after,
      follow: follow !== "false",
      signal: AbortSignal.any([c.req.raw.signal, ending.signal]),
    });
    // Before the answer begins: a refusal is an answer of its own.
    const first = await entries.next();
    return new Response(
      streamOf(entries, first, () => ending.abort()),
      {
        headers: {
          "content-type": "text/event-stream; charset=utf-8",
          "cache-control": "no-store",
          // Proxies that buffer answers would hold it back.
          "x-accel-buffering": "no",
        },
      },
    );
  });
  return app;
}

/** Some entries are made when those before have been taken: nothing piles up here for a slow reader. */
function streamOf(
  entries: AsyncGenerator<StreamEntry[]>,
  first: IteratorResult<StreamEntry[]>,
  end: () => void,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let ahead: IteratorResult<StreamEntry[]> | undefined = first;
  return new ReadableStream(
    {
      start: (controller) => controller.enqueue(encoder.encode(`retry: ${RETRY_MS}\n\n`)),
      async pull(controller) {
        const { done, value } = ahead ?? (await entries.next());
        ahead = undefined;
        if (done) return controller.close();
        controller.enqueue(encoder.encode(value.map(textOf).join("")));
      },
      async cancel() {
        end();
        await entries.return(undefined);
      },
    },
    { highWaterMark: 1 },
  );
}

/** One without data only moves the browser's `Last-Event-ID`. */
function textOf({ position, event }: StreamEntry): string {
  if (!event) return `id: ${position}\n\n`;
  return `id: ${position}\nevent: ${event.kind}\ndata: ${jsonOf(event)}\n\n`;
}

/** What all that follow are told is written once. */
const written = new WeakMap<object, string>();

function jsonOf(event: object): string {
  const json = written.get(event) ?? JSON.stringify(event);
  written.set(event, json);
  return json;
}
