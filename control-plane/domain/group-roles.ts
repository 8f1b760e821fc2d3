import * as v from "valibot";
import { contextSchema } from "#protocol/job-context.ts";
import type { JobDefinition } from "#protocol/job-definition.ts";
import { MAX_MEMBERS } from "#protocol/multinode.ts";
import { asMapping, flag, integer, listOf, loose, nonEmptyText } from "#protocol/schema-parts.ts";

type Path = (string | number)[];
export interface RoleFinding {
  path: Path;
  message: string;
}

/** A role of a multinode job (JOB.md 8.1), of which there are `count` jobs. */
export interface Role {
  name: string;
  count: number;
  essential: boolean;
  /** Of a dynamic role, which has no device of its own: the role whose device it connects to. */
  host_role?: string;
  /** What a single job would say that does what the role does. */
  definition: JobDefinition;
  /** Which of the job's actions are the role's. */
  actions: number[];
}

const WHOLE = "expected a whole number from 0";
const roleSchema = loose({
  count: v.pipe(integer, v.minValue(0, WHOLE)),
  device_type: v.optional(nonEmptyText),
  device: v.optional(nonEmptyText),
  worker: v.optional(nonEmptyText),
  tags: v.optional(listOf(nonEmptyText)),
  context: v.optional(contextSchema),
  essential: v.optional(flag),
  connection: v.optional(nonEmptyText),
  host_role: v.optional(nonEmptyText),
});

const AT = ["protocols", "lava-multinode", "roles"] as const;

/** Whether the job is one of several roles. */
export const isMultinode = ({ protocols }: JobDefinition): boolean =>
  protocols?.["lava-multinode"] !== undefined;

/**
 * The roles of a multinode job in the order in which they stand there, and what is wrong with them that LAVA's gate lets pass, or
 * that is too much for us.
 */
export function readRoles(definition: JobDefinition): { roles: Role[]; findings: RoleFinding[] } {
  const entries = asMapping(definition.protocols?.["lava-multinode"]?.roles) ?? {};
  const findings = actionFindings(definition, new Set(Object.keys(entries)));
  const roles: Role[] = [];
  for (const [name, entry] of Object.entries(entries)) {
    const read = v.safeParse(roleSchema, entry);
    if (read.success) roles.push(roleOf(definition, name, read.output));
    for (const issue of read.issues ?? []) {
      const inside = (issue.path ?? []).map(({ key }) => key as string | number);
      findings.push({ path: [...AT, name, ...inside], message: issue.message });
    }
  }
  const size = roles.reduce((sum, { count }) => sum + count, 0);
  if (findings.length === 0 && (size === 0 || size > MAX_MEMBERS)) {
    const message = `the group has ${size} jobs: expected 1 to ${MAX_MEMBERS}, as all of them begin at once`;
    findings.push({ path: [...AT], message });
  }
  return { roles, findings: [...findings, ...hostFindings(roles)] };
}

function roleOf(
  job: JobDefinition,
  name: string,
  { count, essential = false, host_role, ...entry }: v.InferOutput<typeof roleSchema>,
): Role {
  const actions = job.actions.flatMap((action, n) => (rolesOf(action).includes(name) ? [n] : []));
  const { device_type, device, worker, tags, context } = entry;
  const definition: JobDefinition = {
    ...job,
    ...{ device_type, device, worker, tags, context },
    actions: job.actions.filter((_, n) => actions.includes(n)),
  };
  const host = host_role === undefined ? {} : { host_role };
  return { name, count, essential, actions, definition, ...host };
}

/** The roles that an item of `actions` is for. */
export function rolesOf(action: object): unknown[] {
  const [block] = Object.values(action) as unknown[];
  const role = asMapping(block)?.["role"];
  return Array.isArray(role) ? role : role === undefined || role === null ? [] : [role];
}

function actionFindings({ actions }: JobDefinition, known: ReadonlySet<unknown>): RoleFinding[] {
  return actions.flatMap((action, index) => {
    const roles = rolesOf(action);
    const wrong = roles.find((role) => !known.has(role));
    if (roles.length > 0 && wrong === undefined) return [];
    const [kind = ""] = Object.keys(action);
    const names = [...known].slice(0, 20).join(", ");
    const message =
      wrong === undefined
        ? `an action of a multinode job says for whom it is: role: [...], of ${names}`
        : `unknown role ${JSON.stringify(wrong)}; there are ${names}`;
    return [{ path: ["actions", index, kind, "role"], message }];
  });
}

/** A role that hosts another has one device, and is not itself a guest. */
function hostFindings(roles: readonly Role[]): RoleFinding[] {
  return roles.flatMap(({ name, host_role, definition }) => {
    if (host_role === undefined) {
      const message = "a role needs a device_type, or a connection and a host_role";
      const isWell = definition.device_type !== undefined;
      return isWell ? [] : [{ path: [...AT, name], message }];
    }
    const host = roles.find((role) => role.name === host_role);
    if (!host || (host.host_role === undefined && host.count === 1)) return [];
    const message = `role ${host_role} can't be the host: expected a role of one device`;
    return [{ path: [...AT, name, "host_role"], message }];
  });
}
