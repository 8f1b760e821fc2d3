import { parsedTemplate } from "../templates/parsed-template.ts";
import type { Statement } from "../templates/ast.ts";
import type { Deps } from "./deps.ts";
import { dictionaryName } from "./rendered-device.ts";
import { findText, type TextRecord } from "./texts.ts";

/** A health check's job definition. */
export interface HealthCheck {
  /** That of the template which the device's dictionary extends, without `.jinja2`. */
  name: string;
  text: string;
  /** Pumice's, in the absence of one of the lab's own. */
  isStock: boolean;
}

/**
 * The health check for a device with this text: that of the one template which its dictionary extends, not that of its device
 * type (SCHEDULER.md 2.1). A configuration extends nothing, so there is none. The lab's own wins; Pumice's counts only
 * `withStock`: it may need files that a lab can't reach, so it runs where somebody wants it.
 */
export async function healthCheckOf(
  deps: Deps,
  text: TextRecord,
  { withStock }: { withStock: boolean },
): Promise<HealthCheck | undefined> {
  const name = extendedTemplate(text);
  if (name === undefined) return undefined;
  const own = await findText(deps, "health-check", name);
  if (own) return { name, text: own.text, isStock: false };
  const stock = withStock ? deps.templates(`health-checks/${name}.yaml`) : undefined;
  return stock === undefined ? undefined : { name, text: stock, isStock: true };
}

/** The template that a dictionary extends, without `.jinja2`; undefined unless it is exactly one. */
export function extendedTemplate({
  name: hostname,
  text,
  format,
}: Pick<TextRecord, "name" | "text" | "format">): string | undefined {
  if (format === "configuration") return undefined;
  let body: readonly Statement[];
  try {
    body = parsedTemplate(text, dictionaryName(hostname)).body;
  } catch {
    return undefined;
  }
  const parents = body.filter((statement) => statement.kind === "extends");
  const [first] = parents;
  if (!first || parents.length > 1 || first.parent.kind !== "constant") return undefined;
  const { value } = first.parent;
  if (typeof value !== "string" || !value.endsWith(".jinja2")) return undefined;
  const name = value.slice(0, -".jinja2".length);
  return /^[A-Za-z0-9][\w.-]{0,199}$/.test(name) ? name : undefined;
}
