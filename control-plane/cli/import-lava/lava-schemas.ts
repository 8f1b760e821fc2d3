import * as v from "valibot";

/**
 * What LAVA's XML-RPC tells of each thing, as far as it is brought over (API.md 4). Versions differ in what they tell, so
 * only what nothing can do without is required.
 */

const text = v.pipe(
  v.nullish(v.string()),
  v.transform((value) => value ?? ""),
);
const names = v.nullish(v.array(v.string()), []);

export const lavaNames = v.array(v.string());

export const lavaDeviceTypeList = v.array(
  v.object({
    name: v.string(),
    /** Whether it has a template, LAVA's or its own. */
    template: v.nullish(v.boolean(), false),
  }),
);
export const lavaDeviceType = v.object({
  description: text,
  display: v.optional(v.boolean()),
  health_disabled: v.optional(v.boolean()),
  health_denominator: v.optional(v.string()),
  health_frequency: v.optional(v.number()),
  /** False when the lab's admin wrote or changed its template. */
  default_template: v.optional(v.boolean(), true),
});

export const lavaDeviceList = v.array(v.object({ hostname: v.string() }));
export const lavaDevice = v.object({
  device_type: v.string(),
  worker: v.nullish(v.string()),
  health: v.nullish(v.string(), "Unknown"),
  description: text,
  tags: names,
  has_device_dict: v.optional(v.boolean(), true),
  user: v.nullish(v.string()),
  group: v.nullish(v.string()),
});

export const lavaAlias = v.object({ device_type: v.string() });
export const lavaTagList = v.array(v.object({ name: v.string(), description: text }));

export const lavaWorker = v.object({
  description: text,
  health: v.nullish(v.string(), "Active"),
  job_limit: v.nullish(v.number(), 0),
  /** Whether it has no such file of its own. */
  default_config: v.optional(v.boolean(), false),
  default_env: v.optional(v.boolean(), false),
  default_env_dut: v.optional(v.boolean(), false),
});

/** A file: LAVA sends base64. */
export const lavaFile = v.union([v.instance(Uint8Array), v.string()]);
