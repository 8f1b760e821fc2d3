// Writes docs/job.schema.json, which the server hands out too: run it after a change of control-plane/protocol/job-schema.
import { writeFileSync } from "node:fs";
import path from "node:path";
import { jobJsonSchema } from "./job-json-schema.ts";

const file = path.resolve(import.meta.dirname, "../docs/job.schema.json");
writeFileSync(file, `${JSON.stringify(jobJsonSchema(), undefined, 1)}\n`);
