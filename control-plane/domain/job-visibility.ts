import type { JobDefinition } from "#protocol/job-definition.ts";
import type { Deps } from "./deps.ts";
import type { JobRecord } from "./job-record.ts";
import { namedKey } from "./keys.ts";

/**
 * Who may see a job, by what its definition says (SCHEDULER.md 5): of `personal` only its submitter, of `group` whoever is in
 * all of the groups.
 */
export function visibilityOf({
  visibility,
}: JobDefinition): Pick<JobRecord, "visibility" | "viewing_groups"> {
  if (visibility === "public") return {};
  if (visibility === "personal") return { visibility };
  return { visibility: "group", viewing_groups: [...new Set(visibility.group ?? [])] };
}

/** The groups that a definition names and that are not there: a job for them would be for nobody. */
export async function unknownGroups(
  deps: Deps,
  definition: JobDefinition,
): Promise<{ path: (string | number)[]; message: string }[]> {
  const findings = [];
  for (const [index, name] of (visibilityOf(definition).viewing_groups ?? []).entries()) {
    if (await deps.table.get(namedKey("groups", name))) continue;
    const message = `unknown group ${JSON.stringify(name)}: an administrator makes groups`;
    findings.push({ path: ["visibility", "group", index], message });
  }
  return findings;
}
