import { shellQuote } from "./shell-quote.ts";

/**
 * Lines of `$L/environment` from values in order: `export NAME=VALUE`, lists and mappings flattened
 * with `_` (TEST-SHELL.md 2). Names that no shell takes are left out and returned.
 */
export function environmentFile(values: Iterable<readonly [string, unknown]>): {
  text: string;
  refused: string[];
} {
  const lines: string[] = [];
  const refused: string[] = [];
  for (const [name, value] of flattened(values)) {
    if (isVariableName(name)) lines.push(`export ${name}=${value}\n`);
    else refused.push(name);
  }
  return { text: lines.join(""), refused };
}

export const isVariableName = (name: string): boolean => /^[A-Za-z_]\w*$/.test(name);

function* flattened(
  values: Iterable<readonly [string, unknown]>,
): Generator<readonly [string, string]> {
  for (const [name, value] of values) {
    if (typeof value === "object" && value !== null) {
      yield* flattened(Object.entries(value).map(([key, inner]) => [`${name}_${key}`, inner]));
    } else yield [name, shellValue(value)];
  }
}

function shellValue(value: unknown): string {
  if (value === true) return "1";
  if (value === false) return "0";
  if (typeof value === "number") return String(value);
  return shellQuote(value === null || value === undefined ? "" : String(value));
}
