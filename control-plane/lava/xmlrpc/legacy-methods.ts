import * as v from "valibot";
import type { DeviceView, JobView } from "#protocol/api.ts";
import { listJobs, readDefinition, type JobFilter } from "../../domain/jobs.ts";
import { requireUser } from "../../domain/principal.ts";
import { logYaml } from "../shapes/log-yaml.ts";
import { jobDetails, lavaJobId, legacyStatus } from "../shapes/job-details.ts";
import { deviceStatus } from "../shapes/device.ts";
import { checkDevices } from "./check-devices.ts";
import { dictionary, setDictionary, setHealth } from "./device-methods.ts";
import { everyAlias, everyDevice, everyDeviceType, isInUse } from "../every.ts";
import { Fault, named } from "./fault.ts";
import { findJob } from "./find-job.ts";
import { cancel, jobNamed, resubmit, submit } from "./job-methods.ts";
import {
  absent,
  flag,
  fromZero,
  jobId,
  maybe,
  method,
  name,
  text,
  type Call,
  type Method,
} from "./method.ts";
import { newestJobs } from "./newest-jobs.ts";
import { wholeText } from "./whole-text.ts";
import type { XmlRpcValue } from "./xml-value.ts";

const S = "scheduler.";
/** That one answer tells of. */
const MOST_RECENT = 200;
async function device({ deps, principal }: Call, hostname: string): Promise<DeviceView> {
  const { getDevice } = await import("../../domain/devices.ts");
  return named("Device", hostname, getDevice(deps, principal, hostname));
}

/** By device type how many devices are at work, idle, and out of use. */
async function countByType(call: Call): Promise<XmlRpcValue> {
  const types = new Map<string, { busy: number; idle: number; offline: number }>();
  for (const one of (await everyDevice(call)).filter(isInUse)) {
    const counts = types.get(one.device_type) ?? { busy: 0, idle: 0, offline: 0 };
    const status = deviceStatus(one);
    counts[status === "idle" || status === "offline" ? status : "busy"] += 1;
    types.set(one.device_type, counts);
  }
  return [...types].map(([type, counts]) => ({ name: type, ...counts }));
}

/** All jobs that have not ended, newest first. LAVA gives away rows of its database here; these are names. */
async function unfinished(call: Call): Promise<XmlRpcValue> {
  const { deps, principal } = call;
  const { queuedJobs } = await import("../../domain/queued-jobs.ts");
  const waiting = await queuedJobs(deps, principal);
  const jobs = new Map<number, JobView>(waiting.map((job) => [job.id, job]));
  const { getJob } = await import("../../domain/jobs.ts");
  for (const { current_job } of await everyDevice(call)) {
    if (current_job === undefined || jobs.has(current_job)) continue;
    // That of a device which the caller may see, who may not see the job.
    const [job] = await Promise.allSettled([getJob(deps, principal, current_job)]);
    if (job.status === "fulfilled") jobs.set(current_job, job.value);
  }
  return [...jobs.values()]
    .toSorted((a, b) => b.id - a.id)
    .map((job) => [
      ...[job.id, job.description, job.state.toLowerCase(), job.device ?? null],
      ...[{ name: job.device_type }, job.sub_id ?? ""],
    ]);
}

/** The last jobs that have ended, of a device or type, and of a submitter; a device's own are in a list of theirs. */
async function recent(call: Call, wanted: JobFilter, count: number): Promise<JobView[]> {
  const limit = Math.min(count, MOST_RECENT);
  const { deps, principal } = call;
  if (limit > 0 && wanted.device !== undefined && wanted.submitter === undefined) {
    return (await listJobs(deps, principal, { ...wanted, state: "Finished", limit })).jobs;
  }
  return newestJobs(call, {
    columns: ["device", "device_type", "submitter"],
    fits: ({ state, device, device_type, submitter }) =>
      state === "Finished" &&
      (wanted.device ?? device) === device &&
      (wanted.device_type ?? device_type) === device_type &&
      (wanted.submitter ?? submitter) === submitter,
    start: 0,
    limit,
  });
}

/** Everything that `jobs.show` says and the definition; never LAVA's rows, which have the submitter's password in them. */
async function details(call: Call, id: string): Promise<XmlRpcValue> {
  const job = await jobNamed(call, id);
  const { submit_time, ...rest } = jobDetails(job);
  return {
    ...rest,
    ...{ submit_time, status: legacyStatus(job), is_pipeline: true, priority: job.priority },
    requested_device_type_id: job.device_type,
    submitter_username: job.submitter,
    original_definition: await readDefinition(call.deps, call.principal, job.id),
  };
}

async function output({ deps, principal }: Call, id: string, offset: number): Promise<XmlRpcValue> {
  const pieces = await named("Job", id, logYaml(deps, principal, await findJob(deps, id)));
  const whole = await wholeText(
    deps,
    pieces,
    "ask scheduler.jobs.logs, which gives lines in parts",
  );
  return new TextEncoder().encode(whole).subarray(offset);
}

async function validateYaml({ deps, principal }: Call, definition: string): Promise<null> {
  const { spendReading } = await import("../../domain/reading-budget.ts");
  spendReading(deps, requireUser(principal), definition);
  const { checkJob } = await import("#protocol/check-job.ts");
  const [first] = checkJob(definition).problems;
  if (!first) return null;
  const { path, line, message } = first;
  throw new Fault(400, `Invalid YAML submission: line ${line}${path && `, ${path}`}: ${message}`);
}

const ofJob = { job_id: jobId };
const ofDevice = { hostname: name };
const few = v.nullish(fromZero, 1);

/** What is in `scheduler` itself: LAVA's oldest methods. */
export const legacyMethods: Method[] = [
  method(
    S + "submit_job",
    "submit",
    { job_data: text },
    "As scheduler.jobs.submit.",
    (call, { job_data }) => submit(call, job_data),
  ),
  method(S + "resubmit_job", "submit", ofJob, "As scheduler.jobs.resubmit.", (call, { job_id }) =>
    resubmit(call, job_id),
  ),
  method(S + "cancel_job", "submit", ofJob, "As scheduler.jobs.cancel.", (call, { job_id }) =>
    cancel(call, job_id),
  ),
  method(
    S + "job_details",
    "read",
    ofJob,
    "What scheduler.jobs.show says, with the definition.",
    (call, { job_id }) => details(call, job_id),
  ),
  method(S + "job_state", "read", ofJob, "The state of a job.", async (call, { job_id }) => {
    const job = await jobNamed(call, job_id);
    return { job_id: lavaJobId(job), job_state: job.state };
  }),
  method(S + "job_health", "read", ofJob, "The health of a job.", async (call, { job_id }) => {
    const job = await jobNamed(call, job_id);
    return { job_id: lavaJobId(job), job_health: job.health };
  }),
  method(
    S + "job_output",
    "read",
    { ...ofJob, offset: v.nullish(fromZero, 0) },
    "The log of a job (YAML) from a byte on.",
    (call, { job_id, offset }) => output(call, job_id, offset),
  ),
  method(
    S + "all_jobs",
    "read",
    {},
    "Jobs that have not ended: [id, description, state, device, {name: device type}, sub id].",
    (call) => unfinished(call),
  ),
  method(
    S + "all_devices",
    "read",
    {},
    "Devices that are not Retired: [hostname, device type, status, job, true].",
    async (call) =>
      (await everyDevice(call))
        .filter(isInUse)
        .map((one) => [
          one.hostname,
          one.device_type,
          deviceStatus(one),
          one.current_job ?? null,
          true,
        ]),
  ),
  method(
    S + "all_device_types",
    "read",
    {},
    "How many devices of each type are busy, idle and offline.",
    countByType,
  ),
  method(
    S + "pending_jobs_by_device_type",
    "read",
    {},
    "How many jobs wait for each device type, counted up to 100.",
    async (call) =>
      Object.fromEntries(
        (await everyDeviceType(call))
          .filter(({ display }) => display)
          .map((type) => [type.name, type.queued]),
      ),
  ),
  method(
    S + "get_device_status",
    "read",
    ofDevice,
    "The status of a device and its job.",
    async (call, { hostname }) => {
      const one = await device(call, hostname);
      return {
        hostname,
        status: deviceStatus(one),
        job: one.current_job ?? null,
        offline_since: null,
        offline_by: null,
        is_pipeline: true,
      };
    },
  ),
  method(
    S + "get_device_config",
    "read",
    { device_hostname: name, context: maybe(text) },
    "What the dictionary of a device renders to (YAML).",
    (call, { device_hostname, context }) =>
      dictionary(call, device_hostname, { render: true, context }),
  ),
  method(
    S + "export_device_dictionary",
    "read",
    ofDevice,
    "The dictionary of a device (Jinja2).",
    (call, { hostname }) => dictionary(call, hostname, { render: false }),
  ),
  method(
    S + "import_device_dictionary",
    "workers",
    { ...ofDevice, jinja_string: text },
    "Replaces the dictionary of a device.",
    async (call, { hostname, jinja_string }) => {
      await setDictionary(call, hostname, jinja_string);
      return `Device dictionary updated for ${hostname}`;
    },
  ),
  method(
    S + "get_device_type_by_alias",
    "read",
    { alias: name },
    "The device types that have another name.",
    async (call, { alias }) => ({
      [alias]: (await everyAlias(call))
        .filter((one) => one.name === alias)
        .map((one) => one.device_type),
    }),
  ),
  method(
    S + "get_recent_jobs_for_device",
    "read",
    { device: name, count: few, restrict_to_user: v.nullish(flag, false) },
    "The last jobs of a device that have ended.",
    async (call, { device: hostname, count, restrict_to_user }) => {
      await device(call, hostname);
      const jobs = await recent(
        call,
        { device: hostname, ...ownOnly(call, restrict_to_user) },
        count,
      );
      return jobs.map((job) => ({
        id: lavaJobId(job),
        description: job.description,
        status: legacyStatus(job),
      }));
    },
  ),
  method(
    S + "get_recent_jobs_for_device_type",
    "read",
    { device_type: name, count: few, restrict_to_user: v.nullish(flag, false) },
    "The last jobs of a device type that have ended.",
    async (call, { device_type, count, restrict_to_user }) => {
      const { getDeviceType } = await import("../../domain/device-types.ts");
      await named(
        "Device-type",
        device_type,
        getDeviceType(call.deps, call.principal, device_type),
      );
      const jobs = await recent(call, { device_type, ...ownOnly(call, restrict_to_user) }, count);
      return jobs.map((job) => ({
        id: lavaJobId(job),
        description: job.description,
        status: legacyStatus(job),
        device: job.device ?? null,
      }));
    },
  ),
  method(
    S + "put_into_maintenance_mode",
    "workers",
    { ...ofDevice, reason: maybe(text), notify: maybe(text) },
    "Puts a device into Maintenance. notify has no effect: who wants to know subscribes.",
    (call, { hostname, reason }) => setHealth(call, hostname, "Maintenance", reason),
  ),
  method(
    S + "put_into_online_mode",
    "workers",
    { ...ofDevice, reason: maybe(text), skip_health_check: v.nullish(flag, false) },
    "Takes a device out of Maintenance: Unknown, so that its health check runs first; with skip_health_check Good.",
    (call, { hostname, reason, skip_health_check }) =>
      setHealth(call, hostname, skip_health_check ? "Good" : "Unknown", reason),
  ),
  method(
    S + "validate_yaml",
    "read",
    { yaml_job_data: text },
    "Checks a definition; a mistake is the fault.",
    (call, { yaml_job_data }) => validateYaml(call, yaml_job_data),
  ),
  method(
    S + "validate_pipeline_devices",
    "read",
    { name: maybe(name) },
    "Whether the dictionaries of devices render: of all, of one, or of those of a type (YAML).",
    (call, args) => checkDevices(call, args.name),
  ),
  absent(
    S + "get_publisher_event_socket",
    "read",
    {},
    "there is no ZeroMQ; listen to the WebSocket at /ws/ or to /api/v1/events",
  ),
];

const ownOnly = ({ principal }: Call, isOwn: boolean): { submitter?: string } =>
  isOwn && "name" in principal ? { submitter: principal.name } : {};
