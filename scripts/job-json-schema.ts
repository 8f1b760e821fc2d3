import { toJsonSchema, type ConversionConfig, type JsonSchema } from "@valibot/to-json-schema";
import type { Choice } from "#protocol/job-schema/choices.ts";
import { jobSchema } from "#protocol/job-schema/job.ts";
import { JOB_DESCRIPTIONS } from "./job-descriptions.ts";

/**
 * The strict schema of a job as JSON Schema, for editors. Draft 7, which their YAML plug-ins know best. What it can't
 * say: that no time-out is longer than the job's.
 */
export function jobJsonSchema(): object {
  const { job, parts } = jobSchema("strict");
  const converted = toJsonSchema(job as never, {
    target: "draft-07",
    typeMode: "output",
    definitions: parts as never,
    // Rules, which say by metadata what of them can be said.
    ignoreActions: ["check", "raw_check"],
    overrideSchema: ({ valibotSchema, jsonSchema }) => inJson(valibotSchema, jsonSchema),
  } satisfies ConversionConfig);
  describe({ properties: converted.properties }, "job");
  for (const [name, part] of Object.entries(converted.$defs ?? {})) describe(part, name);
  const { $schema, ...rest } = converted;
  const title = "A LAVA job, as Pumice reads it";
  return { $schema, title, ...rest };
}

/** What the converter leaves open, or undefined. */
function inJson(schema: { type: string }, json: JsonSchema): JsonSchema | undefined {
  switch (schema.type) {
    case "custom":
      return {};
    case "record": {
      const { propertyNames: _, ...rest } = json;
      return rest;
    }
    case "loose_object":
    case "object_with_rest":
      return withPatterns(json);
    case "union":
      return choice(schema as unknown as Choice, json);
    default:
      return undefined;
  }
}

/** Keys that begin with `^` are patterns (job-schema/strength.ts). */
function withPatterns({ required, ...others }: JsonSchema): JsonSchema {
  const json: JsonSchema = required?.length ? { ...others, required } : others;
  const all = Object.entries(json.properties ?? {});
  const patterns = all.filter(([key]) => key.startsWith("^"));
  if (patterns.length === 0) return json;
  const plain = all.filter(([key]) => !key.startsWith("^"));
  return {
    ...json,
    properties: Object.fromEntries(plain),
    patternProperties: Object.fromEntries(patterns),
  };
}

/** A choice that says when each of its options is meant: an editor then tells of that one only. */
function choice({ when }: Choice, json: JsonSchema): JsonSchema | undefined {
  const options = (json.anyOf ?? []) as JsonSchema[];
  if (!when) return undefined;
  const cases = when.map((condition, index) => ({
    if: condition as JsonSchema,
    // oxlint-disable-next-line unicorn/no-thenable -- a word of JSON Schema
    then: options[index] ?? false,
  }));
  const words = when.flatMap((condition) => Object.entries(condition.properties ?? {}));
  const [key] = words[0] ?? [];
  if (key === undefined) {
    const last = options.at(-1) ?? {};
    const chain = cases
      .slice(0, -1)
      .reduceRight<JsonSchema>((rest, one) => ({ ...one, else: rest }), last);
    const keys = when.map(({ required: [first = ""] }) => [first, {}]);
    return { type: "object", properties: Object.fromEntries(keys), ...chain };
  }
  return {
    type: "object",
    required: [key],
    properties: { [key]: { enum: words.map(([, word]) => word.const) } },
    allOf: cases,
  };
}

/** Puts a sentence to each key that has one, that of its place (`deploy.usb device`) before that of its name. */
function describe(json: unknown, place: string): void {
  if (typeof json !== "object" || json === null) return;
  const { properties = {}, ...rest } = json as { properties?: Record<string, JsonSchema> };
  for (const [key, value] of Object.entries(properties)) {
    const description = JOB_DESCRIPTIONS[`${place} ${key}`] ?? JOB_DESCRIPTIONS[key];
    if (description !== undefined && value.const === undefined) value.description = description;
    describe(value, key);
  }
  for (const value of Object.values(rest)) describe(value, place);
}
