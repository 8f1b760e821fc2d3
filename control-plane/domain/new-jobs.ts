import { priorityNumber, type JobDefinition } from "#protocol/job-definition.ts";
import { timeoutSeconds } from "#protocol/timeouts.ts";
import type { Operation } from "../ports/table.ts";
import type { Deps } from "./deps.ts";
import type { DeviceTypeRecord } from "./device-types.ts";
import { groupItem, newGroupId, type GroupRecord } from "./group-record.ts";
import type { Role } from "./group-roles.ts";
import type { JobRecord } from "./job-record.ts";
import { definitionBlob, deviceTypeKey, multinodeBlob } from "./keys.ts";
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
  if (roles) return newGroup(deps, submitted, roles);
  const id = await deps.table.counter("job");
  const job: JobRecord = {
    ...newJob(deps, id, submitter, definition),
    ...(await retryOn(deps, definition)),
  };
  return { jobs: [job], blobs: [{ key: definitionBlob(id), text }], operations: [] };
}

/** A job of each role and number, in that order (MULTINODE.md 1). */
async function newGroup(
  deps: Deps,
  { text, definition, submitter }: Submitted,
  roles: readonly Role[],
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
      ...newJob(deps, job_id, submitter, { ...own, device_type }),
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

function newJob(deps: Deps, id: number, submitter: string, definition: JobDefinition): JobRecord {
  const now = deps.system.now();
  const { device_type = "", device, worker, timeouts, tags = [] } = definition;
  const queueMs = timeouts.queue && timeoutSeconds(timeouts.queue) * 1000;
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
    ...(device === undefined ? {} : { requested_device: device }),
    ...(worker === undefined ? {} : { requested_worker: worker }),
    ...(queueMs === undefined ? {} : { queue_deadline: new Date(now + queueMs).toISOString() }),
    ...(definition.notify === undefined ? {} : { notify: true }),
  };
}

/** What the job says of its retry, else what its device type does. */
async function retryOn(
  deps: Deps,
  { retry_on, device_type = "", timeouts }: JobDefinition,
): Promise<Pick<JobRecord, "retry_on" | "queue_seconds">> {
  const type = await deps.table.get<DeviceTypeRecord>(deviceTypeKey(device_type));
  if ((retry_on ?? type?.data.retry_on) !== "infrastructure") return {};
  const queue_seconds = timeouts.queue && timeoutSeconds(timeouts.queue);
  return { retry_on: "infrastructure", ...(queue_seconds === undefined ? {} : { queue_seconds }) };
}
