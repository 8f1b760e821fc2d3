import { readYaml, type SourcePath } from "#protocol/read-yaml.ts";
import type { Deps } from "./deps.ts";
import { opened, readSecrets } from "./secrets.ts";

/**
 * A definition as its worker gets it: each value of `secrets` and of `headers` that is the name of one of the submitter's
 * secrets is that secret's value (SCHEDULER.md 6). All the rest stays byte for byte. `values` must not be seen in the log.
 */
export async function withSecrets(
  deps: Deps,
  submitter: string,
  definition: string,
): Promise<{ definition: string; values: string[] }> {
  if (!/\b(secrets|headers)\b/.test(definition)) return { definition, values: [] };
  const records = await readSecrets(deps, submitter);
  if (records.length === 0) return { definition, values: [] };
  const sealed = new Map(records.map((record) => [record.name, record]));
  const { value, leaves } = readYaml(definition);
  let text = definition;
  const values: string[] = [];
  for (const { path, start, end } of leaves().toSorted((a, b) => b.start - a.start)) {
    const record = isPlace(path) ? sealed.get(String(valueAt(value, path))) : undefined;
    const secret = record && opened(deps, submitter, record);
    if (secret === undefined) continue;
    // JSON is YAML; what it leaves as it is and YAML does not take is escaped, too.
    const quoted = JSON.stringify(secret).replace(
      /[\x7f-\u{10ffff}]/gu,
      (character) => `\\U${character.codePointAt(0)?.toString(16).padStart(8, "0")}`,
    );
    text = text.slice(0, start) + quoted + text.slice(end);
    values.push(secret);
  }
  return { definition: text, values: [...new Set(values)] };
}

/** Anywhere below `secrets`, and what stands directly in a mapping `headers`. */
const isPlace = (path: SourcePath): boolean => path[0] === "secrets" || path.at(-2) === "headers";

function valueAt(value: unknown, path: SourcePath): unknown {
  let inner = value;
  for (const name of path) {
    if (typeof inner !== "object" || inner === null || !Object.hasOwn(inner, name))
      return undefined;
    inner = (inner as Record<string | number, unknown>)[name];
  }
  return typeof inner === "string" ? inner : undefined;
}
