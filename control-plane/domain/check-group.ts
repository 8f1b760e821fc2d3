import type { SourceProblem } from "#protocol/api.ts";
import type { JobDefinition } from "#protocol/job-definition.ts";
import { resolveDeviceType } from "./aliases.ts";
import {
  asProblems,
  findingsOf,
  fitsPins,
  usableDevices,
  type Finding,
} from "./check-submission.ts";
import type { Deps } from "./deps.ts";
import { readRoles, type Role } from "./group-roles.ts";
import { unknownGroups } from "./job-visibility.ts";
import type { Sight } from "./visible.ts";

/**
 * As `checkSubmission`, for each role of a multinode job: it is one that a single job could have, and there are as many devices
 * for it as it has jobs (SCHEDULER.md 4). The roles have their real device types, whatever aliases they were written with.
 */
export async function checkGroup(
  deps: Deps,
  sight: Sight,
  definition: JobDefinition,
  locate: (path: Finding["path"]) => { line: number; column: number },
): Promise<{ roles: Role[]; problems: SourceProblem[] }> {
  const { roles: written, findings } = readRoles(definition);
  findings.push(...(await unknownGroups(deps, definition)));
  if (findings.length > 0) return { roles: [], problems: asProblems(findings, locate) };
  const roles = await Promise.all(written.map((role) => withRealType(deps, role)));
  for (const role of roles) {
    // Its device is that of its host.
    if (role.host_role === undefined) findings.push(...(await roleFindings(deps, sight, role)));
  }
  return { roles, problems: asProblems(findings, locate) };
}

async function withRealType(deps: Deps, role: Role): Promise<Role> {
  const { device_type } = role.definition;
  if (device_type === undefined) return role;
  const definition = {
    ...role.definition,
    device_type: await resolveDeviceType(deps, device_type),
  };
  return { ...role, definition };
}

async function roleFindings(deps: Deps, sight: Sight, role: Role): Promise<Finding[]> {
  const { name, count, definition, actions } = role;
  const at = ["protocols", "lava-multinode", "roles", name];
  const found = await findingsOf(deps, sight, definition);
  if (found.length > 0) {
    return found.map(({ path: [first = "", second, ...rest], message }) => ({
      path:
        first === "actions" && typeof second === "number"
          ? [first, actions[second] ?? second, ...rest]
          : [...at, first, ...(second === undefined ? [] : [second, ...rest])],
      message: `role ${name}: ${message}`,
    }));
  }
  const devices = await usableDevices(deps, sight, definition.device_type ?? "");
  const fitting = devices.filter((device) => fitsPins(definition, device)).length;
  if (fitting >= count) return [];
  const message = `role ${name} needs ${count} devices of type ${definition.device_type} at a time: ${fitting} of those that can take jobs fit`;
  return [{ path: [...at, "count"], message }];
}
