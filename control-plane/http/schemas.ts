import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { Hono } from "hono";
import type { Env } from "./route.ts";

/** What editors fetch, without a token: the file in docs, byte for byte. */
export function schemaRoutes(): Hono<Env> {
  let job: Promise<string> | undefined;
  return new Hono<Env>().get("/job.json", async (c) => {
    job ??= readFile(jobSchemaFile(), "utf8");
    return c.body(await job, 200, {
      "content-type": "application/schema+json",
      "cache-control": "public, max-age=3600",
      "x-content-type-options": "nosniff",
    });
  });
}

/** Beside the bundled program, or in the documentation of the sources. */
function jobSchemaFile(): string {
  const here = import.meta.dirname;
  const bundled = path.join(here, "job.schema.json");
  return existsSync(bundled) ? bundled : path.resolve(here, "../../docs/job.schema.json");
}
