import * as v from "valibot";
import { labSettingsSchema } from "./lab-settings.ts";
import { grantsSchema, groupName, labUserSchema, userName } from "./people.ts";
import { plainRecord } from "./plain-record.ts";
import { flag, listOf, oneOf } from "./schema-parts.ts";
import { putQuerySchema, queryPath } from "./saved-query.ts";
import { windowSchema } from "./windows.ts";
import { DEVICE_HEALTHS, WORKER_HEALTHS } from "./states.ts";

/**
 * A lab as data: what `pumice apply` brings, `pumice export` writes, and the server plans, applies and tells at
 * `/api/v1/lab`. A section that is absent is left alone; in a section that is there, what it does not name is removed only
 * when the caller asks for pruning. An optional field that is absent has its default, but for a health, which is
 * left as it is: a lab changes it while it runs.
 */

/** Names of devices, types, workers: no path and no option can be made of them. */
export const labName = v.pipe(
  v.string("expected a name"),
  v.regex(/^[A-Za-z0-9][\w.-]{0,199}$/, "expected a name of letters, digits, `.`, `_` and `-`"),
);
/** File names of own templates. */
export const templateName = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9_][\w.-]{0,190}\.jinja2$/, "expected a file name that ends in .jinja2"),
);
export const tagName = v.pipe(
  v.string("expected a tag"),
  v.regex(/^[\w.-]{1,200}$/, "expected a tag of letters, digits, `.`, `_` and `-`"),
);
/** A text of a lab is at most this long, in characters. */
export const MAX_LAB_TEXT_CHARS = 256 * 1024;
const longText = v.pipe(
  v.string("expected text"),
  v.maxLength(MAX_LAB_TEXT_CHARS, `expected at most ${MAX_LAB_TEXT_CHARS} characters`),
);
const shortText = (most: number) =>
  v.pipe(v.string("expected text"), v.maxLength(most, `expected at most ${most} characters`));
const description = v.optional(shortText(10_000), "");
const wholeNumber = v.pipe(
  v.number("expected a whole number"),
  v.integer("expected a whole number"),
  v.minValue(0, "expected 0 or more"),
);

export const labDeviceTypeSchema = v.strictObject({
  description,
  /** Whether lists show it. */
  display: v.optional(flag, true),
  /** Each so many `health_denominator`s a health check is due (SCHEDULER.md 2). */
  health_frequency: v.optional(wholeNumber, 24),
  health_denominator: v.optional(oneOf("hours", "jobs"), "hours"),
  health_disabled: v.optional(flag, false),
  /** Health checks come by themselves also where the lab has none of its own and Pumice has one. */
  health_check: v.optional(oneOf("stock")),
  /** What its jobs have that say nothing about it themselves (retry-on.ts); nothing when absent. */
  retry_on: v.optional(oneOf("infrastructure")),
  /** Who may what with it and its devices; as they are when absent. */
  permissions: v.optional(grantsSchema),
});
export type LabDeviceType = v.InferOutput<typeof labDeviceTypeSchema>;

export const labDeviceEntries = {
  device_type: labName,
  worker: labName,
  tags: v.optional(listOf(tagName), []),
  description,
  health: v.optional(oneOf(...DEVICE_HEALTHS)),
  /** Who may what with it; as they are when absent. */
  permissions: v.optional(grantsSchema),
  /** Who has it on their desk, and which group it belongs to: for people. As they are when absent; none when empty. */
  physical_owner: v.optional(shortText(200)),
  physical_group: v.optional(shortText(200)),
  /** For whoever stands before it. As they are when absent; none when empty. */
  notes: v.optional(shortText(10_000)),
  /** Device dictionary, Jinja2 (DEVICE.md). */
  dictionary: v.optional(longText),
  /** In place of a dictionary: the configuration itself, YAML. */
  configuration: v.optional(longText),
};
export const hasOneText = (device: {
  dictionary?: string | undefined;
  configuration?: string | undefined;
}): boolean => (device.dictionary === undefined) !== (device.configuration === undefined);
export const ONE_TEXT = "expected a dictionary, or a configuration in its place";
export const labDeviceSchema = v.pipe(
  v.strictObject(labDeviceEntries),
  v.check((device) => hasOneText(device), ONE_TEXT),
);
export type LabDevice = v.InferOutput<typeof labDeviceSchema>;

export const labWorkerSchema = v.strictObject({
  description,
  /** Most jobs at a time; 0: no limit. */
  job_limit: v.optional(wholeNumber, 0),
  health: v.optional(oneOf(...WORKER_HEALTHS)),
  /** Who may see and change it; as they are when absent. */
  permissions: v.optional(grantsSchema),
  /** YAML texts that go with each job to this worker: LAVA's dispatcher.yaml, env.yaml, env-dut.yaml. */
  dispatcher: v.optional(longText, ""),
  env: v.optional(longText, ""),
  env_dut: v.optional(longText, ""),
});
export type LabWorker = v.InferOutput<typeof labWorkerSchema>;

/** The texts of a worker. */
export const workerTextName = v.picklist(
  ["dispatcher", "env", "env_dut"],
  "expected dispatcher, env or env_dut",
);
export type WorkerTextName = v.InferOutput<typeof workerTextName>;

export const labGroupSchema = v.strictObject({
  description,
  members: v.optional(listOf(userName), []),
});
export type LabGroup = v.InferOutput<typeof labGroupSchema>;

export const labSchema = v.strictObject({
  /** What is set for the lab as a whole, by section. */
  settings: v.optional(labSettingsSchema),
  /** Own templates by file name; they win over Pumice's of the same name. */
  templates: v.optional(plainRecord(templateName, longText)),
  /** Health-check jobs, by the name of the template that a dictionary extends, without `.jinja2`. */
  health_checks: v.optional(plainRecord(labName, longText)),
  device_types: v.optional(plainRecord(labName, labDeviceTypeSchema)),
  /** Other names of device types: alias to type. */
  aliases: v.optional(plainRecord(labName, labName)),
  /** Tags and what they mean. A tag that a device has is there without being named here. */
  tags: v.optional(plainRecord(tagName, v.strictObject({ description }))),
  /** People, without what they sign in with. Nobody is removed: who is no longer named stays as they are. */
  users: v.optional(plainRecord(userName, labUserSchema)),
  groups: v.optional(plainRecord(groupName, labGroupSchema)),
  workers: v.optional(plainRecord(labName, labWorkerSchema)),
  devices: v.optional(plainRecord(labName, labDeviceSchema)),
  /** Maintenance windows. */
  windows: v.optional(plainRecord(labName, windowSchema)),
  /** Saved queries: OWNER/NAME to what it asks. */
  queries: v.optional(plainRecord(queryPath, putQuerySchema)),
});
export type Lab = v.InferOutput<typeof labSchema>;
/** In the order in which a lab is built up; it is taken down in the opposite one. */
export const LAB_SECTIONS = [
  "settings",
  "templates",
  "health_checks",
  "device_types",
  "aliases",
  "tags",
  "users",
  "groups",
  "workers",
  "devices",
  "windows",
  "queries",
] as const;
export type LabSection = (typeof LAB_SECTIONS)[number];
/** A section that is there. */
export type LabSectionOf<S extends LabSection> = NonNullable<Lab[S]>;

/** `POST /api/v1/lab/plan` (changes nothing) and `POST /api/v1/lab/apply`. */
export const labRequestSchema = v.object({
  lab: labSchema,
  /** Remove what a section that is there does not name. */
  prune: v.optional(v.boolean(), false),
  /** For apply: the `revision` of the plan that was agreed to; `conflict` when the lab has changed since. */
  revision: v.optional(v.string()),
  /** For apply: stands in the list of versions of every text that changes. */
  comment: v.optional(v.pipe(v.string(), v.maxLength(1000)), ""),
});
export type LabRequest = v.InferOutput<typeof labRequestSchema>;

export const labChangeSchema = v.object({
  action: v.picklist(["create", "change", "remove"]),
  section: v.picklist(LAB_SECTIONS),
  name: v.string(),
  /**
   * For `change`: the fields that differ, as they are and as they will be. Of a template or a health check the
   * field is `text`, of an alias `device_type`.
   */
  fields: v.optional(
    plainRecord(
      v.string(),
      v.object({ from: v.optional(v.unknown()), to: v.optional(v.unknown()) }),
    ),
  ),
});
export type LabChange = v.InferOutput<typeof labChangeSchema>;

/** Something that is wrong with a lab and where: the plan can't be applied. Or only odd: a warning. */
export const labRemarkSchema = v.object({
  section: v.picklist(LAB_SECTIONS),
  name: v.string(),
  /** `dictionary`, `tags[0]`; empty for the thing as a whole. */
  field: v.string(),
  /** In the text of that field, when it is one. */
  line: v.optional(v.number()),
  message: v.string(),
});
export type LabRemark = v.InferOutput<typeof labRemarkSchema>;

export const labPlanSchema = v.object({
  changes: v.array(labChangeSchema),
  errors: v.array(labRemarkSchema),
  warnings: v.array(labRemarkSchema),
  revision: v.string(),
});
export type LabPlan = v.InferOutput<typeof labPlanSchema>;

/** Answer of `apply`: what was done, and the tokens of workers that are new; they are shown this once. */
export const labAppliedSchema = v.object({
  changes: v.array(labChangeSchema),
  warnings: v.array(labRemarkSchema),
  worker_tokens: plainRecord(v.string(), v.string()),
});
export type LabApplied = v.InferOutput<typeof labAppliedSchema>;

/** One version of a text on the server: a dictionary, a template, a health check. Counts from 1. */
export const textVersionSchema = v.object({
  version: v.number(),
  time: v.string(),
  /** Who changed it. */
  user: v.string(),
  /** Why, when somebody said so; "back to version 3" when it was put back. */
  comment: v.string(),
  /** True for the version that removed the text. */
  removed: v.optional(v.boolean()),
  /** Of a device: whether this is its dictionary (Jinja2) or its configuration (YAML). */
  format: v.optional(v.picklist(["dictionary", "configuration"])),
});
export type TextVersion = v.InferOutput<typeof textVersionSchema>;
/** Newest first. */
export const textVersionListSchema = v.object({
  versions: v.array(textVersionSchema),
  next_cursor: v.optional(v.string()),
});
export type TextVersionList = v.InferOutput<typeof textVersionListSchema>;
/** Answer to a text that was put or put back. */
export const putTextSchema = v.object({
  ...textVersionSchema.entries,
  /** False when the text was the same, which makes no version. */
  changed: v.boolean(),
  warnings: v.array(v.string()),
});
export type PutText = v.InferOutput<typeof putTextSchema>;
/** `POST .../put-back` */
export const putBackSchema = v.object({
  version: v.pipe(v.number("expected a version"), v.integer(), v.minValue(1)),
});

/** Where a value of a configuration was set. */
export const originSchema = v.object({
  /** A template's file name, or `context` for what a job's context gave. */
  template: v.string(),
  line: v.number(),
  /** The variable through which it came. */
  variable: v.optional(v.string()),
});
export type Origin = v.InferOutput<typeof originSchema>;

/** `GET /api/v1/devices/HOST/config?version=&context=`: what the dictionary renders to. */
export const deviceConfigSchema = v.object({
  hostname: v.string(),
  /** Version of the dictionary. */
  version: v.number(),
  configuration: v.unknown(),
  /** The YAML text that the templates gave. */
  text: v.string(),
  /** By the path of each value: `commands.hard_reset`, `actions.boot.methods.u-boot.ramdisk.commands[0]`. */
  origins: plainRecord(v.string(), originSchema),
  warnings: v.array(v.object({ template: v.string(), line: v.number(), message: v.string() })),
});
export type DeviceConfig = v.InferOutput<typeof deviceConfigSchema>;
