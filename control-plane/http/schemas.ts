import { Hono } from "hono";
import jobSchema from "../../docs/job.schema.json" with { type: "json" };
import type { Env } from "./route.ts";

/** What editors fetch, without a token: the file in docs, byte for byte. */
export function schemaRoutes(): Hono<Env> {
  const job = `${JSON.stringify(jobSchema, undefined, 1)}\n`;
  return new Hono<Env>().get("/job.json", (c) =>
    c.body(job, 200, {
      "content-type": "application/schema+json",
      "cache-control": "public, max-age=3600",
      "x-content-type-options": "nosniff",
    }),
  );
}
