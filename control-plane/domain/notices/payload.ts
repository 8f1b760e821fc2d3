import type { JobHealth, JobState } from "#protocol/states.ts";
import type { NoticedJob } from "./notice-record.ts";
import { pythonTime } from "./python-time.ts";

/** What a callback says of a job beside the job itself. */
export interface PayloadParts {
  definition: string;
  metadata: Record<string, unknown>;
  submitterEmail: string;
  healthCheck: boolean;
  /** Of the callback, resolved. */
  token: string | undefined;
  log?: string;
  results?: Record<string, string>;
}

export type Payload = Record<string, unknown>;

const STATES: readonly JobState[] = [
  "Submitted",
  "Scheduling",
  "Scheduled",
  "Running",
  "Canceling",
  "Finished",
];
const HEALTHS: readonly JobHealth[] = ["Unknown", "Complete", "Incomplete", "Canceled"];

/** LAVA's callback payload: names, order and values of SCHEDULER.md 7; absent times are the text `None`. */
export function payloadOf(job: NoticedJob, parts: PayloadParts): Payload {
  const [status, word] = legacyStatus(job);
  return {
    id: job.id,
    status,
    status_string: word,
    state: STATES.indexOf(job.state),
    state_string: job.state,
    health: HEALTHS.indexOf(job.health),
    health_string: job.health,
    submit_time: pythonTime(job.submit_time),
    start_time: pythonTime(job.start_time),
    end_time: pythonTime(job.end_time),
    submitter_username: job.submitter,
    submitter_email: parts.submitterEmail,
    failure_comment: job.error_msg ?? null,
    priority: job.priority,
    description: job.description,
    actual_device_id: job.device ?? null,
    definition: parts.definition,
    metadata: Object.entries(parts.metadata).map(([key, value]) => ({ [key]: asText(value) })),
    health_check: parts.healthCheck,
    ...(parts.token === undefined ? {} : { token: parts.token }),
    ...(parts.log === undefined ? {} : { log: parts.log }),
    ...(parts.results === undefined ? {} : { results: parts.results }),
  };
}

/** The status that jobs had before states and healths (SCHEDULER.md 1.1). */
function legacyStatus({ state, health }: NoticedJob): [number, string] {
  if (state === "Running") return [1, "running"];
  if (state === "Canceling") return [5, "canceling"];
  if (state !== "Finished") return [0, "submitted"];
  if (health === "Complete") return [2, "complete"];
  return health === "Canceled" ? [4, "canceled"] : [3, "incomplete"];
}

/** The payload as a body of a content type. What is no plain value is JSON in a form. */
export function bodyOf(payload: Payload, type: "json" | "urlencoded"): string {
  if (type === "json") return JSON.stringify(payload);
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(payload)) {
    if (value === null) continue;
    // Python's words for them.
    if (typeof value === "boolean") form.append(name, value ? "True" : "False");
    else form.append(name, asText(value));
  }
  return form.toString();
}

/** A URL with the job's fields in it: `{ID}`, `{ STATUS_STRING }`; what is no field stays. */
export function filledUrl(url: string, payload: Payload): string {
  return url.replaceAll(/\{\s*([A-Z_]{1,40})\s*\}/g, (whole, name: string) => {
    const value = payload[name.toLowerCase()];
    if (typeof value === "object" || value === undefined || SECRET.has(name)) return whole;
    return encodeURIComponent(String(value));
  });
}

const SECRET = new Set(["TOKEN", "DEFINITION", "LOG", "RESULTS"]);

const asText = (value: unknown): string =>
  typeof value === "string" ? value : (JSON.stringify(value) ?? "None");
