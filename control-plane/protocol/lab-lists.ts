import * as v from "valibot";
import { labName } from "./lab.ts";

/** What a lab names: own templates and health checks, aliases, tags, groups. */

const time = v.string();

/** A template or a health check that the lab has of its own. */
export const labTextViewSchema = v.object({
  name: v.string(),
  version: v.number(),
  time,
  user: v.string(),
  /** Of a template: Pumice has one of this name too, which it hides. */
  hides_stock: v.optional(v.boolean()),
});
export type LabTextView = v.InferOutput<typeof labTextViewSchema>;
export const templateListSchema = v.object({ templates: v.array(labTextViewSchema) });
export const healthCheckListSchema = v.object({ health_checks: v.array(labTextViewSchema) });

export const aliasViewSchema = v.object({ name: v.string(), device_type: v.string() });
export type AliasView = v.InferOutput<typeof aliasViewSchema>;
export const aliasListSchema = v.object({ aliases: v.array(aliasViewSchema) });
/** `PUT /api/v1/aliases/NAME` */
export const putAliasSchema = v.object({ device_type: labName });

export const tagViewSchema = v.object({ name: v.string(), description: v.string() });
export type TagView = v.InferOutput<typeof tagViewSchema>;
export const tagListSchema = v.object({ tags: v.array(tagViewSchema) });
/** `PUT /api/v1/tags/NAME` */
export const putTagSchema = v.object({ description: v.optional(v.string(), "") });

export const groupViewSchema = v.object({
  name: v.string(),
  description: v.string(),
  members: v.array(v.string()),
});
export type GroupView = v.InferOutput<typeof groupViewSchema>;
export const groupListSchema = v.object({ groups: v.array(groupViewSchema) });
