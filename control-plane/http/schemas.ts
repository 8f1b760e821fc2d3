import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { Hono } from "hono";
import type { Env } from "./route.ts";

/** What editors fetch, without a token: the file in docs, byte for byte. */
export const schemaRoutes = () =>
  new Hono<Env>().get("/job.json", servesDocument("job.schema.json", "application/schema+json"));

/** The description of the API in OpenAPI, for programs and their makers; without a token, as the documentation. */
export const openapiRoutes = () =>
  new Hono<Env>().get("/openapi.json", servesDocument("openapi.json", "application/json"));

function servesDocument(name: string, mediaType: string) {
  let text: Promise<string> | undefined;
  return async () => {
    text ??= readFile(fileOf(name), "utf8");
    return new Response(await text, {
      headers: {
        "content-type": mediaType,
        "cache-control": "public, max-age=3600",
        "x-content-type-options": "nosniff",
      },
    });
  };
}

/** Beside the bundled program, or in the documentation of the sources. */
function fileOf(name: string): string {
  const here = import.meta.dirname;
  const bundled = path.join(here, name);
  return existsSync(bundled) ? bundled : path.resolve(here, "../../docs", name);
}
