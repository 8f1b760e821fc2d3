import type { LabSettings } from "#protocol/lab-settings.ts";
import { priorityNumber, type JobDefinition } from "#protocol/job-definition.ts";
import { timeoutSeconds } from "#protocol/timeouts.ts";
import type { Operation } from "../ports/table.ts";
import type { Deps } from "./deps.ts";
import type { DeviceTypeRecord } from "./device-types.ts";
import { groupItem, newGroupId, type GroupRecord } from "./group-record.ts";
import type { Role } from "./group-roles.ts";
import { visibilityOf } from "./job-visibility.ts";
import type { JobRecord } from "./job-record.ts";
import { labSettings } from "./lab-settings.ts";
import { deviceTypeKey } from "./keys.ts";
import { definitionBlob, multinodeBlob } from "./blob-names.ts";
import { memberText } from "./member-text.ts";

/** Who submits what: the text, what was read of it, and its roles if it has several. */
export interface Submitted {
  readonly submitter: string;
  readonly text: string;
  readonly definition: JobDefinition;
  readonly roles?: readonly Role[];
}

export interface NewJobs {
  readonly jobs: JobRecord[];
  /** What is to be there before the jobs are. */
  readonly blobs: { key: string; text: string }[];
  /** Beside the jobs themselves. */
  readonly operations: Operation[];
}

/** The jobs of a submission; nothing is written yet but their ids are taken. */
export async function newJobs(deps: Deps, submitted: Submitted): Promise<NewJobs> {
  const { roles, text, definition, submitter } = submitted;
  const { scheduling } = await labSettings(deps);
  if (roles) return newGroup(deps, submitted, roles, scheduling);
  const id = await deps.table.counter("job");
  const job: JobRecord = {
    ...newJob(deps, id, submitter, definition, scheduling),
    ...(await retryOn(deps, definition, scheduling)),
  };
  return { jobs: [job], blobs: [{ key: definitionBlob(id), text }], operations: [] };
}

/** A job of each role and number, in that order (MULTINODE.md 1). */
async function newGroup(
  deps: Deps,
  { text, definition, submitter }: Submitted,
  roles: readonly Role[],
  scheduling: Scheduling,
): Promise<NewJobs> {
  const places = roles.flatMap((role) => Array.from({ length: role.count }, () => role));
  const ids: number[] = [];
  while (ids.length < places.length) ids.push(await deps.table.counter("job"));
  const at = (name: string | undefined) => places.findIndex((role) => role.name === name);
  const members = places.map(({ name, essential, host_role }, n) => {
    const host = host_role === undefined ? undefined : ids[at(host_role)];
    return {
      ...{ job_id: ids[n] ?? 0, sub_id: `${ids[0]}.${n}`, role: name, essential },
      ...(host === undefined ? {} : { host_job: host }),
    };
  });
  const group: GroupRecord = {
    id: newGroupId(deps),
    submitter,
    submit_time: new Date(deps.system.now()).toISOString(),
    members,
  };
  const jobs = members.map(({ job_id, sub_id, role, host_job }, n): JobRecord => {
    const { definition: own = definition, host_role } = places[n] ?? {};
    // A guest has no device type of its own.
    const host = host_role === undefined ? undefined : places[at(host_role)]?.definition;
    const device_type = (host ?? own).device_type ?? "";
    return {
      ...newJob(deps, job_id, submitter, { ...own, device_type }, scheduling),
      ...{ group: group.id, sub_id, role },
      ...(host_job === undefined ? {} : { host_job }),
    };
  });
  const blobs = members.flatMap((member) => [
    { key: definitionBlob(member.job_id), text: memberText(text, group, member) },
    { key: multinodeBlob(member.job_id), text },
  ]);
  return { jobs, blobs, operations: [{ put: groupItem(group), when: "absent" }] };
}

type Scheduling = LabSettings["scheduling"];

function newJob(
  deps: Deps,
  id: number,
  submitter: string,
  definition: JobDefinition,
  scheduling: Scheduling,
): JobRecord {
  const now = deps.system.now();
  const { device_type = "", device, worker, timeouts, tags = [] } = definition;
  const waits = queueSeconds(definition, scheduling);
  return {
    id,
    state: "Submitted",
    health: "Unknown",
    description: definition.job_name,
    device_type,
    submitter,
    priority: priorityNumber(definition.priority),
    tags: [...new Set(tags)],
    submit_time: new Date(now).toISOString(),
    log_lines: 0,
    ...visibilityOf(definition),
    ...(device === undefined ? {} : { requested_device: device }),
    ...(worker === undefined ? {} : { requested_worker: worker }),
    job_seconds: timeoutSeconds(timeouts.job),
    ...(waits === undefined ? {} : { queue_deadline: new Date(now + waits * 1000).toISOString() }),
    ...(definition.notify === undefined ? {} : { notify: true }),
  };
}

/** A job as it would be if it were submitted now, for whoever wants to know how it would fare; it has no id. */
export function wouldBe(
  deps: Deps,
  submitter: string,
  definition: JobDefinition,
  scheduling: Scheduling,
  isMember: boolean,
): JobRecord {
  const job = newJob(deps, 0, submitter, definition, scheduling);
  return isMember ? { ...job, group: "0" } : job;
}

/** What the job says of its retry, else what its device type does. */
async function retryOn(
  deps: Deps,
  definition: JobDefinition,
  scheduling: Scheduling,
): Promise<Pick<JobRecord, "retry_on" | "queue_seconds">> {
  const { retry_on, device_type = "" } = definition;
  const type = await deps.table.get<DeviceTypeRecord>(deviceTypeKey(device_type));
  if ((retry_on ?? type?.data.retry_on) !== "infrastructure") return {};
  const queue_seconds = queueSeconds(definition, scheduling);
  return { retry_on: "infrastructure", ...(queue_seconds === undefined ? {} : { queue_seconds }) };
}

/** How long a job wants to wait at most, or the lab says that it does (SCHEDULER.md 2.4). */
function queueSeconds(
  { timeouts }: JobDefinition,
  { default_queue_timeout_hours: hours }: Scheduling,
): number | undefined {
  if (timeouts.queue) return timeoutSeconds(timeouts.queue);
  return hours === undefined ? undefined : hours * 3600;
}
