import type { CheckedJob, DryRun, DryRunDevice, DryRunJob } from "#protocol/dry-run.ts";
import type { JobDefinition } from "#protocol/job-definition.ts";
import { checkText, type CheckedText } from "./check-text.ts";
import type { Deps } from "./deps.ts";
import { dryRunDevices, type TriedDevice } from "./dry-run-devices.ts";
import { dryRunPlace } from "./dry-run-place.ts";
import type { Role } from "./group-roles.ts";
import { labSettings } from "./lab-settings.ts";
import { memberText } from "./member-text.ts";
import { wouldBe } from "./new-jobs.ts";
import { MAX_PLANNED_CHARS, planJob, TOO_LARGE } from "./plan-job.ts";
import { requireUser, type Principal, type User } from "./principal.ts";
import { fullLimit, limitsOf, limitText, tooSmall } from "./quotas.ts";
import { spendReading } from "./reading-budget.ts";
import { sightOf, type Sight } from "./visible.ts";
import { lookAround } from "./waits-for.ts";

/** A group has more jobs than this only of few roles. */
const MOST_ROLES = 20;

/** What a submission of this text would find wrong with it. Throws `too_large`. */
export async function checkOnly(
  deps: Deps,
  principal: Principal,
  text: string,
): Promise<CheckedJob> {
  const user = requireUser(principal);
  spendReading(deps, user, text);
  const { problems, warnings, said } = await checkText(deps, user, text, true);
  return { problems, warnings, notes: said };
}

/**
 * What a submission of this text would do: whether it is accepted, which devices could take its jobs, where they would stand in the
 * queue, and what a worker would do. Stores nothing. A refusal is part of the answer. Throws `too_large`, `throttled`.
 */
export async function dryRun(deps: Deps, principal: Principal, text: string): Promise<DryRun> {
  const user = requireUser(principal);
  spendReading(deps, user, text);
  const checked = await checkText(deps, user, text, true);
  const { problems, warnings, said: notes, definition } = checked;
  const told = { problems, warnings, notes };
  if (!definition) return { accepted: false, ...told, jobs: [] };
  const parts = partsOf(checked, definition);
  const size = parts.reduce((sum, { count }) => sum + count, 0);
  const quota = await quotaOf(deps, user, size);
  const sight = await sightOf(deps, user);
  const trial = { deps, user, sight, text, parts };
  const jobs: DryRunJob[] = [];
  for (const part of parts.slice(0, MOST_ROLES)) {
    const job = await tryJob(trial, part);
    if (job) jobs.push(job);
  }
  return {
    accepted: problems.length === 0 && quota?.refuses !== true,
    ...told,
    ...(quota ? { quota: quota.text } : {}),
    jobs,
    ...(parts.length > MOST_ROLES ? { more_roles: true } : {}),
  };
}

interface Trial {
  readonly deps: Deps;
  readonly user: User;
  readonly sight: Sight;
  readonly text: string;
  readonly parts: readonly Part[];
}

/** A job, or a role with its jobs. */
interface Part {
  readonly definition: JobDefinition;
  readonly count: number;
  readonly role?: Role;
}

const partsOf = ({ roles }: CheckedText, definition: JobDefinition): Part[] =>
  roles?.map((role) => ({ definition: role.definition, count: role.count, role })) ??
  (definition.device_type === undefined ? [] : [{ definition, count: 1 }]);

/** Undefined where whoever asks sees no device: `problems` says what there is. */
async function tryJob(trial: Trial, part: Part): Promise<DryRunJob | undefined> {
  const { deps, user, sight, parts } = trial;
  const { role, count } = part;
  const hostRole = role?.host_role;
  const host = parts.find((other) => hostRole !== undefined && other.role?.name === hostRole);
  const { definition } = host ?? part;
  const { device_type = "" } = definition;
  const { scheduling } = await labSettings(deps);
  const job = wouldBe(deps, user.name, definition, scheduling, role !== undefined);
  const around = await lookAround(deps, device_type);
  const tried = await dryRunDevices({ deps, sight }, around, job, definition);
  if (tried.length === 0) return undefined;
  const best = tried.find(({ isAble }) => isAble);
  const plan = best && (await planOf(trial, part, best));
  const waits = host ? undefined : await dryRunPlace(deps, around, job, tried, role !== undefined);
  return {
    ...(role ? { role: role.name } : {}),
    ...(hostRole === undefined ? {} : { host_role: hostRole }),
    ...{ count, device_type },
    devices: hostRole === undefined ? tried.map(asTold) : [],
    ...(around.isPart ? { more_devices: true } : {}),
    ...(waits ? { waits } : {}),
    ...(plan ? { plan } : {}),
  };
}

const asTold = ({ device, fit, found }: TriedDevice): DryRunDevice => ({
  hostname: device.hostname,
  worker: device.worker,
  fit,
  ...(found ? { code: found.code, why: found.text } : {}),
});

async function planOf(
  { deps, text, parts }: Trial,
  { role }: Part,
  { device }: TriedDevice,
): Promise<NonNullable<DryRunJob["plan"]>> {
  // It is read and written anew for each role.
  if (text.length * parts.length > MAX_PLANNED_CHARS) {
    return { device: device.hostname, problem: TOO_LARGE };
  }
  const answer = await planJob(deps, {
    definition: role ? memberOf(text, parts, role) : text,
    device,
    isGuest: role?.host_role !== undefined,
  });
  return { device: device.hostname, ...answer };
}

/** What the first job of a role would be given. */
function memberOf(text: string, parts: readonly Part[], role: Role): string {
  const places = parts.flatMap((part) => Array.from({ length: part.count }, () => part.role));
  const at = (name: string | undefined) => places.findIndex((other) => other?.name === name);
  const members = places.map((other, n) => ({
    ...{ job_id: n + 1, sub_id: `0.${n}`, role: other?.name ?? "", essential: false },
    ...(other?.host_role === undefined ? {} : { host_job: at(other.host_role) + 1 }),
  }));
  const first = members.find((member) => member.role === role.name);
  return first ? memberText(text, { id: "0", members }, first) : text;
}

/** What a quota has against so many more jobs of somebody. */
async function quotaOf(
  deps: Deps,
  { name, groups }: User,
  jobs: number,
): Promise<{ text: string; refuses: boolean } | undefined> {
  const { quotas } = await labSettings(deps);
  const waiting = limitsOf(quotas, { name, groups }, "waiting");
  const running = limitsOf(quotas, { name, groups }, "running");
  const never = tooSmall([...running, ...waiting], jobs);
  if (never) return { text: `the quota has no place for it: ${limitText(never)}`, refuses: true };
  const full = await fullLimit(deps, waiting, jobs);
  if (full) return { text: `the quota is used up: ${limitText(full)}`, refuses: true };
  const held = await fullLimit(deps, running, jobs);
  if (!held) return undefined;
  return { text: `it would wait for a quota: ${limitText(held)}`, refuses: false };
}
