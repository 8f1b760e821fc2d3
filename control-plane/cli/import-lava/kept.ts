import * as v from "valibot";
import { labName, tagName, type LabSection } from "#protocol/lab.ts";
import type { Asking } from "./asking.ts";

/** The word of ours; LAVA's calls differ in upper and lower case. */
export const healthOf = <H extends string>(healths: readonly H[], word: string): H | undefined =>
  healths.find((health) => health.toLowerCase() === word.toLowerCase());

/** As an entry of a section, or nothing and a warning when a lab can't have it. */
export function kept<S extends v.GenericSchema>(
  { warn }: Asking,
  section: LabSection,
  name: string,
  schema: S,
  value: unknown,
): [string, v.InferOutput<S>][] {
  const issue =
    v.safeParse(section === "tags" ? tagName : labName, name).issues?.[0] ??
    v.safeParse(schema, value).issues?.[0];
  if (!issue) return [[name, v.parse(schema, value)]];
  const where = v.getDotPath(issue);
  warn(section, name, `left out: ${where ? `${where}: ` : ""}${issue.message}`);
  return [];
}
