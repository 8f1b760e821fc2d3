import * as v from "valibot";
import type { ResultView } from "#protocol/api.ts";
import { notifySchema } from "#protocol/job-definition.ts";
import { readYaml } from "#protocol/read-yaml.ts";
import { asMapping } from "#protocol/schema-parts.ts";
import { LAB } from "../changes.ts";
import type { Deps } from "../deps.ts";
import { readLog } from "../job-log.ts";
import { definitionBlob } from "../blob-names.ts";
import type { Principal } from "../principal.ts";
import { listResults } from "../results.ts";
import type { Notify } from "./criteria.ts";

/** The lab itself, which reads what it tells others. */
const READER: Principal = { kind: "user", name: LAB, admin: true, groups: [], tokenId: "" };

/** A log is sent up to so many characters. */
const MAX_LOG_CHARS = 10 * 1024 * 1024;

/** What a job's definition says, as far as messages need it. */
export interface NoticedDefinition {
  text: string;
  notify: Notify | undefined;
  metadata: Record<string, unknown>;
}

/** Of a job whose definition is gone, nothing. */
export async function readNoticed(deps: Deps, job: number): Promise<NoticedDefinition> {
  const bytes = await deps.blobs.get(definitionBlob(job));
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes ?? new Uint8Array());
  const definition = asMapping(readYaml(text).value) ?? {};
  const notify = v.safeParse(notifySchema, definition["notify"]);
  return {
    text,
    notify: notify.success ? notify.output : undefined,
    metadata: asMapping(definition["metadata"]) ?? {},
  };
}

/** A job's results; none when the job is gone. */
export async function resultsOf(deps: Deps, job: number, attempt: number): Promise<ResultView[]> {
  return (await listResults(deps, READER, job, attempt)).results;
}

/** A job's log as LAVA's YAML, one record a line (DISPATCHER.md 7.1); what is too long is cut, and says so. */
export async function logYaml(deps: Deps, job: number, attempt: number): Promise<string> {
  const parts: string[] = [];
  let chars = 0;
  for (let start = 0; ;) {
    const page = await readLog(deps, READER, job, { start, attempt });
    if (page.records.length === 0) return parts.join("");
    for (const record of page.records) {
      const line = `- ${JSON.stringify(record)}\n`;
      chars += line.length;
      if (chars > MAX_LOG_CHARS) {
        const msg = `the log goes on: only its first ${MAX_LOG_CHARS} characters are sent`;
        return `${parts.join("")}- ${JSON.stringify({ dt: record.dt, lvl: "warning", msg })}\n`;
      }
      parts.push(line);
    }
    start = page.next;
  }
}
