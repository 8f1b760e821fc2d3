import { requireOnLab } from "./visible.ts";
import type { LabTextView } from "#protocol/lab-lists.ts";
import { labName, type PutText } from "#protocol/lab.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { requireName } from "./require-name.ts";
import { requireAdmin, type Principal } from "./principal.ts";
import { listTexts, writeText, type HowChanged } from "./texts.ts";

/** The lab's own health checks by name: that of the template which a dictionary extends, without `.jinja2`. */
export async function listHealthChecks(
  deps: Deps,
  principal: Principal,
): Promise<{ health_checks: LabTextView[] }> {
  await requireOnLab(deps, principal, "view");
  const health_checks: LabTextView[] = [];
  for await (const { name, version, time, user } of listTexts(deps, "health-check")) {
    health_checks.push({ name, version, time, user });
  }
  return { health_checks };
}

/** Makes or replaces a health check. Throws `invalid` unless it is a job that could be submitted. */
export async function putHealthCheck(
  deps: Deps,
  principal: Principal,
  name: string,
  text: string,
  how: HowChanged = {},
): Promise<PutText> {
  const user = requireAdmin(principal);
  requireName(labName, name, "health check");
  const { checkJob } = await import("#protocol/check-job.ts");
  const { problems, warnings } = checkJob(text);
  const [first] = problems;
  if (first) {
    const message = `${name}: line ${first.line}: ${first.path} ${first.message}`;
    throw new AppError("invalid", message, { problems });
  }
  const change = { kind: "health-check", name, text, user: user.name, ...how } as const;
  const written = await writeText(deps, change);
  return { ...written, warnings: warnings.map(({ line, message }) => `line ${line}: ${message}`) };
}

/** Removes one; its versions stay readable. Throws `not_found`. */
export async function removeHealthCheck(
  deps: Deps,
  principal: Principal,
  name: string,
): Promise<void> {
  const user = requireAdmin(principal);
  await writeText(deps, { kind: "health-check", name, text: undefined, user: user.name });
}
