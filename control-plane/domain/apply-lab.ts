import type { Grants } from "#protocol/people.ts";
import { putUser } from "./people.ts";
import type { LabApplied, LabChange, LabPlan, LabRequest, LabSection } from "#protocol/lab.ts";
import { putAlias, removeAlias } from "./aliases.ts";
import { AppError } from "./app-error.ts";
import { holdApplying } from "./applying.ts";
import { checkLab } from "./check-lab.ts";
import type { Deps } from "./deps.ts";
import { putDeviceType, removeDeviceType } from "./device-types.ts";
import { removeDevice, writeDevice } from "./devices.ts";
import { writeSettings } from "./lab-settings.ts";
import { putGroup, removeGroup } from "./groups.ts";
import { planLab } from "./plan-lab.ts";
import { putQuery, removeQuery } from "./queries/saved-queries.ts";
import { requireAdmin, type Principal, type User } from "./principal.ts";
import { readLab, type WholeLab } from "./read-lab.ts";
import { putTag, removeTag } from "./tags.ts";
import { writeText } from "./texts.ts";
import { putWindow, removeWindow } from "./windows.ts";
import { addWorker, removeWorker, writeWorker } from "./workers.ts";

/** What applying a lab would do, and what stands in the way. Changes nothing. */
export async function planFor(
  deps: Deps,
  principal: Principal,
  request: LabRequest,
): Promise<LabPlan> {
  requireAdmin(principal);
  return (await makePlan(deps, request)).plan;
}

/**
 * Makes the lab what somebody wants it to be. Everything is checked before anything is written; then each thing is a
 * transaction of its own, so that a run that was cut off is completed by the next. Throws `invalid` with what stands in the
 * way; `conflict` when the lab is not the one of `revision` any more, or while another run goes on.
 */
export async function applyLab(
  deps: Deps,
  principal: Principal,
  request: LabRequest,
): Promise<LabApplied> {
  const user = requireAdmin(principal);
  return holdApplying(deps, user.name, async (stillHeld) => {
    const { plan, after } = await makePlan(deps, request);
    const { changes, warnings, errors, revision } = plan;
    if (request.revision !== undefined && request.revision !== revision) {
      const message = "the lab has changed since the plan was made; make a new one";
      throw new AppError("conflict", message);
    }
    if (errors.length > 0) throw refusal(errors);
    const doing: Doing = { deps, user, after, comment: request.comment, worker_tokens: {} };
    for (const change of inOrder(changes)) {
      await stillHeld();
      await (change.action === "remove" ? remove(doing, change) : make(doing, change));
    }
    return { changes, warnings, worker_tokens: doing.worker_tokens };
  });
}

interface Doing {
  deps: Deps;
  user: User;
  after: WholeLab;
  comment: string;
  worker_tokens: Record<string, string>;
}

async function makePlan(
  deps: Deps,
  request: LabRequest,
): Promise<{ plan: LabPlan; after: WholeLab }> {
  const current = await readLab(deps);
  const stock = deps.templates;
  const { changes, after } = planLab(current.lab, request, (name) => stock(name) !== undefined);
  const remarks = await checkLab({ current, after, changes, stock });
  return { plan: { changes, ...remarks, revision: revisionOf(deps, current.lab) }, after };
}

/** Names the lab's state, but for healths: those change while it runs. */
function revisionOf(deps: Deps, lab: WholeLab): string {
  const text = JSON.stringify(lab, (key, value: unknown) => (key === "health" ? undefined : value));
  return deps.system.hash(text).slice(0, 32);
}

/** Aliases go first and come last: a type may take the name of one that goes, or give its own to one that comes. */
function inOrder(changes: readonly LabChange[]): LabChange[] {
  const phase = ({ action, section }: LabChange) =>
    section !== "aliases" ? 1 : action === "remove" ? 0 : 2;
  return changes.toSorted((a, b) => phase(a) - phase(b));
}

async function make(doing: Doing, { section, name, action }: LabChange): Promise<void> {
  const { deps, user, after, comment } = doing;
  switch (section) {
    case "settings":
      return writeSettingsOf(doing, { [name]: valueOf(after, section, name) });
    case "templates":
      return writeTextOf(doing, "template", name, valueOf(after, section, name));
    case "health_checks":
      return writeTextOf(doing, "health-check", name, valueOf(after, section, name));
    case "device_types":
      await putDeviceType(deps, user, name, granting(valueOf(after, section, name)));
      return;
    case "aliases":
      await putAlias(deps, user, name, { device_type: valueOf(after, section, name) });
      return;
    case "tags":
      await putTag(deps, user, name, valueOf(after, section, name));
      return;
    case "users":
      await putUser(deps, user, name, valueOf(after, section, name));
      return;
    case "groups":
      await putGroup(deps, user, name, valueOf(after, section, name));
      return;
    case "windows":
      await putWindow(deps, user, name, valueOf(after, section, name), comment || undefined);
      return;
    case "queries":
      await putQuery(deps, user, ownerAndName(name), valueOf(after, section, name));
      return;
    case "workers": {
      const worker = valueOf(after, section, name);
      if (action === "create") {
        const { token } = await addWorker(deps, user, { name, ...worker });
        doing.worker_tokens[name] = token;
      }
      await writeWorker(deps, name, granting(worker), { who: user.name, reason: comment });
      return;
    }
    case "devices":
      await writeDevice(deps, user, name, {
        ...{ physical_owner: "", physical_group: "", notes: "" },
        ...granting(valueOf(after, section, name)),
        comment,
      });
  }
}

async function remove(doing: Doing, { section, name }: LabChange): Promise<void> {
  const { deps, user } = doing;
  switch (section) {
    case "settings":
      return writeSettingsOf(doing, { [name]: null });
    case "templates":
      return writeTextOf(doing, "template", name, undefined);
    case "health_checks":
      return writeTextOf(doing, "health-check", name, undefined);
    case "device_types":
      return removeDeviceType(deps, user, name);
    case "aliases":
      return removeAlias(deps, user, name);
    case "tags":
      return removeTag(deps, user, name);
    case "users":
      throw new Error("nobody is removed: plan-lab.ts");
    case "groups":
      return removeGroup(deps, user, name);
    case "windows":
      return removeWindow(deps, user, name, doing.comment || undefined);
    case "queries":
      return removeQuery(deps, user, ...ownerAndName(name));
    case "workers":
      return removeWorker(deps, user, name);
    case "devices":
      return removeDevice(deps, user, name);
  }
}

function ownerAndName(path: string): [owner: string, name: string] {
  const [owner = "", name = ""] = path.split("/");
  return [owner, name];
}

/** What a plan says of permissions is all of them. */
const granting = <T extends { permissions?: Grants | undefined }>(value: T) => ({
  ...value,
  permissions: value.permissions ?? {},
});

const writeSettingsOf = (
  { deps, user, comment }: Doing,
  settings: Record<string, object | null>,
): Promise<void> => writeSettings(deps, settings, { who: user.name, reason: comment || undefined });

async function writeTextOf(
  { deps, user, comment }: Doing,
  kind: "template" | "health-check",
  name: string,
  text: string | undefined,
): Promise<void> {
  await writeText(deps, { kind, name, text, user: user.name, comment });
}

function valueOf<S extends LabSection>(lab: WholeLab, section: S, name: string) {
  const value = (lab[section] as Record<string, WholeLab[S][string]>)[name];
  if (value === undefined) throw new Error(`${section}.${name} is not in the plan`);
  return value;
}

function refusal(errors: LabPlan["errors"]): AppError {
  const problems = errors.map(({ section, name, field, line = 1, message }) => ({
    path: [section, name, field].filter(Boolean).join("/"),
    line,
    column: 1,
    message,
  }));
  const [first] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  const message = `the lab can't be applied: ${first?.path}: ${first?.message}${more}`;
  return new AppError("invalid", message, { problems });
}
