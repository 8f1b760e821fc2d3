import * as v from "valibot";
import { labName, tagName } from "#protocol/lab.ts";
import { versionSchema } from "#protocol/release.ts";
import {
  deviceHealthSchema,
  deviceStateSchema,
  jobHealthSchema,
  jobStateSchema,
  workerHealthSchema,
  workerStateSchema,
} from "#protocol/states.ts";

/** Least that the data of an item must be, for those that travel with a backup. */

export const whole = v.pipe(v.number(), v.integer(), v.minValue(0));
export const named = v.looseObject({ name: v.string() });

export const jobSchema = v.looseObject({
  id: v.pipe(whole, v.minValue(1)),
  state: jobStateSchema,
  health: jobHealthSchema,
  description: v.string(),
  device_type: v.string(),
  submitter: v.string(),
  priority: v.pipe(whole, v.maxValue(100)),
  tags: v.array(v.string()),
  submit_time: v.pipe(v.string(), v.isoTimestamp()),
  log_lines: whole,
});
export const deviceSchema = v.looseObject({
  hostname: labName,
  device_type: v.string(),
  worker: v.string(),
  state: deviceStateSchema,
  health: deviceHealthSchema,
  tags: v.array(tagName),
  recent: v.optional(v.pipe(v.string(), v.maxLength(1000))),
  idle_since: v.string(),
});
export const workerSchema = v.looseObject({
  name: labName,
  state: workerStateSchema,
  health: workerHealthSchema,
  job_limit: whole,
});
export const userSchema = v.looseObject({
  name: v.string(),
  admin: v.boolean(),
  active: v.boolean(),
  groups: v.array(v.string()),
});
export const tokenSchema = v.looseObject({
  id: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)),
  kind: v.picklist(["user", "worker", "session", "sign-in", "password"]),
  subject: v.string(),
  admin: v.boolean(),
  created: v.string(),
  hash: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
});
export const groupSchema = v.looseObject({
  id: v.string(),
  members: v.array(v.looseObject({ job_id: whole, sub_id: v.string(), role: v.string() })),
});
export const credentialSchema = v.looseObject({
  name: v.string(),
  hash: v.pipe(v.string(), v.maxLength(300), v.startsWith("$scrypt$")),
  changed: v.string(),
});
export const chunkSchema = v.looseObject({
  first_line: whole,
  count: whole,
  bytes: whole,
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
});
export const releaseSchema = v.looseObject({
  version: versionSchema,
  manifest: v.string(),
  signature: v.string(),
  files: v.array(v.looseObject({ platform: v.string(), bytes: whole, sha256: v.string() })),
});
export const textSchema = v.looseObject({
  name: v.string(),
  version: v.pipe(whole, v.minValue(1)),
  text: v.string(),
});
