import { JOB_HEALTHS, JOB_STATES } from "#protocol/states.ts";
import type { Deps } from "../../domain/deps.ts";
import type { Column } from "../../domain/job-list/pack-rows.ts";
import type { JobRecord } from "../../domain/job-record.ts";
import { readBy, readFilters, type Field, type Fields, type Fits } from "./lookups.ts";

const text = (reads: Column): Field<JobRecord> => ({
  kind: "text",
  reads,
  of: (job) => job[reads] ?? (reads === "viewing_groups" ? [] : undefined),
});
const time = (reads: "submit_time" | "start_time" | "end_time"): Field<JobRecord> => ({
  kind: "time",
  reads,
  of: (job) => job[reads],
});

/** What jobs can be filtered by, under LAVA's names. `state` is no column: what is packed has ended. */
export const JOB_FIELDS: Fields<JobRecord> = {
  id: { kind: "number", reads: "id", of: ({ id }) => id },
  submitter: text("submitter"),
  submitter__username: text("submitter"),
  description: text("description"),
  state: { kind: "choice", choices: JOB_STATES, of: ({ state }) => state },
  health: { kind: "choice", reads: "health", choices: JOB_HEALTHS, of: ({ health }) => health },
  priority: { kind: "number", reads: "priority", of: ({ priority }) => priority },
  health_check: { kind: "flag", reads: "health_check", of: (job) => job.health_check === true },
  requested_device_type: text("device_type"),
  requested_device_type__name: text("device_type"),
  actual_device: text("device"),
  actual_device__hostname: text("device"),
  requested_device: text("requested_device"),
  requested_device__hostname: text("requested_device"),
  tags__name: text("tags"),
  viewing_groups__name: text("viewing_groups"),
  failure_comment: text("error_msg"),
  target_group: text("group"),
  submit_time: time("submit_time"),
  start_time: time("start_time"),
  end_time: time("end_time"),
};
const SEARCHED = ["description", "submitter", "actual_device", "requested_device_type"];

/** The filters of a query. */
export interface JobFilters {
  readonly fits: readonly Fits<JobRecord>[];
  /** By what the definition says, which has to be read. */
  readonly reads?: ((job: JobRecord) => Promise<boolean>) | undefined;
  /** What `fits` and the ordering look at. */
  readonly columns: Column[];
}

/** Throws a refusal that names the parameter. */
export function jobFilters(deps: Deps, query: URLSearchParams): JobFilters {
  const fits = readFilters(JOB_FIELDS, query);
  const ordered = (query.get("ordering") ?? "").split(",").map((key) => key.replace(/^-/, ""));
  const searched = (query.get("search") ?? "").toLowerCase();
  if (searched !== "") {
    const texts = (job: JobRecord) => SEARCHED.map((name) => JOB_FIELDS[name]?.of(job) ?? "");
    fits.push((job) => texts(job).some((one) => String(one).toLowerCase().includes(searched)));
  }
  const others = [...ordered, ...(searched === "" ? [] : SEARCHED)].map((name) => [name, ""]);
  const metadata = [...query].filter(([name]) => name.startsWith("metadata__"));
  return {
    fits,
    columns: [
      ...readBy(JOB_FIELDS, query),
      ...readBy(JOB_FIELDS, new URLSearchParams(others)),
    ] as Column[],
    ...(metadata.length > 0 ? { reads: metadataFit(deps, metadata) } : {}),
  };
}

/** `metadata__build-id=12`, as newer servers have it; with the lookups of texts behind another `__`. */
function metadataFit(deps: Deps, wanted: readonly [string, string][]) {
  return async (job: JobRecord): Promise<boolean> => {
    const { jobMetadata } = await import("../../domain/results/job-metadata.ts");
    const metadata = await jobMetadata(deps, job.id);
    const fields = Object.entries(metadata).map(
      ([name, value]) => [`metadata__${name}`, { kind: "text", of: () => value }] as const,
    );
    const query = new URLSearchParams(wanted.map(([name, value]) => [name, value]));
    const filters = readFilters<object>(Object.fromEntries(fields), query);
    // A filter for an attribute that the job does not have is none of its.
    return filters.length === wanted.length && filters.every((fits) => fits({}));
  };
}
