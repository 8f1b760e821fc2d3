import { Hono } from "hono";
import type { Env } from "./route.ts";

/** What editors fetch, without a token: the file in docs, byte for byte. */
export function schemaRoutes(): Hono<Env> {
  let job: Promise<string> | undefined;
  return new Hono<Env>().get("/job.json", async (c) => {
    job ??= jobSchemaText();
    return c.body(await job, 200, {
      "content-type": "application/schema+json",
      "cache-control": "public, max-age=3600",
      "x-content-type-options": "nosniff",
    });
  });
}

/** Read when first asked for: it is large, and most programs that are made of this code never need it. */
async function jobSchemaText(): Promise<string> {
  const file = await import("../../docs/job.schema.json", { with: { type: "json" } });
  return `${JSON.stringify(file.default, undefined, 1)}\n`;
}
