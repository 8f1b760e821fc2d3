import { readFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { jobJsonSchema } from "../../scripts/job-json-schema.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

const inDocs = readFileSync(
  path.resolve(import.meta.dirname, "../../docs/job.schema.json"),
  "utf8",
);

let lab: EmbeddedLab;
beforeEach(async () => {
  lab = await embeddedLab();
});
afterEach(() => lab.close());

test("an editor gets the schema of a job without a token, the same bytes as the file in docs", async () => {
  const answer = await lab.app.request("/schemas/job.json");
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("application/schema+json");
  expect(await answer.text()).toBe(inDocs);
});

test("the file in docs is what scripts/build-job-schema.ts makes now", () => {
  expect(JSON.parse(inDocs)).toEqual(jobJsonSchema());
});
