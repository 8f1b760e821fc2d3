import { requireOnLab } from "./visible.ts";
import type { LabTextView } from "#protocol/lab-lists.ts";
import { templateName, type PutText } from "#protocol/lab.ts";
import type { Table } from "../ports/table.ts";
import type { Loader } from "../templates/frame.ts";
import { parseTemplate } from "../templates/parse-template.ts";
import { TemplateError } from "../templates/template-error.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { findBrokenDevice } from "./broken-devices.ts";
import { requireName } from "./require-name.ts";
import { templatesKey } from "./keys.ts";
import { requireAdmin, type Principal } from "./principal.ts";
import { getText, listTexts, writeText, type HowChanged } from "./texts.ts";

/** What was read last of a lab's own templates, good until one changes. */
const loaders = new WeakMap<Table, { version: number; loader: Loader }>();

/** Templates by name as this lab has them: its own before Pumice's. Costs one read while none changes. */
export async function labTemplates(deps: Deps): Promise<Loader> {
  const version = (await deps.table.get(templatesKey))?.version ?? 0;
  const known = loaders.get(deps.table);
  if (known?.version === version) return known.loader;
  const own = new Map<string, string>();
  for await (const { name, text } of listTexts(deps, "template")) own.set(name, text);
  const loader: Loader = (name) => own.get(name) ?? deps.templates(name);
  loaders.set(deps.table, { version, loader });
  return loader;
}

/** The lab's own templates by name, and which of Pumice's they hide. */
export async function listTemplates(
  deps: Deps,
  principal: Principal,
): Promise<{ templates: LabTextView[] }> {
  await requireOnLab(deps, principal, "view");
  const templates: LabTextView[] = [];
  for await (const { name, version, time, user } of listTexts(deps, "template")) {
    templates.push({ name, version, time, user, hides_stock: deps.templates(name) !== undefined });
  }
  return { templates };
}

/**
 * Makes or replaces a template of the lab's own. Throws `invalid` when it can't be read, or when a device that
 * renders now would no longer.
 */
export async function putTemplate(
  deps: Deps,
  principal: Principal,
  name: string,
  text: string,
  how: HowChanged = {},
): Promise<PutText> {
  const user = requireAdmin(principal);
  requireName(templateName, name, "template");
  const problem = templateProblem(name, text);
  if (problem) {
    const message = `${name}: line ${problem.line}: ${problem.message}`;
    throw new AppError("invalid", message, { problems: [problem] });
  }
  const warnings = await requireNothingBroken(deps, name, text);
  const change = { kind: "template", name, text, user: user.name, ...how } as const;
  return { ...(await writeText(deps, change)), warnings };
}

/** What keeps a text from being a template. */
export function templateProblem(name: string, text: string) {
  try {
    parseTemplate(text, name);
    return undefined;
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return { path: "", line: error.line, column: 1, message: error.message };
  }
}

/** Removes one; its versions stay readable. Throws `not_found`, or `conflict` when a device needs it. */
export async function removeTemplate(deps: Deps, principal: Principal, name: string) {
  const user = requireAdmin(principal);
  await getText(deps, "template", name);
  await requireNothingBroken(deps, name, undefined);
  await writeText(deps, { kind: "template", name, text: undefined, user: user.name });
}

async function requireNothingBroken(
  deps: Deps,
  name: string,
  text: string | undefined,
): Promise<string[]> {
  const before = await labTemplates(deps);
  const stock = deps.templates;
  const after: Loader = (wanted) => (wanted === name ? (text ?? stock(wanted)) : before(wanted));
  const { broken, warning } = await findBrokenDevice(deps, before, after);
  if (!broken) return warning === undefined ? [] : [warning];
  const message = `device ${broken.hostname} would no longer render: ${broken.reason}`;
  throw new AppError(text === undefined ? "conflict" : "invalid", message);
}
