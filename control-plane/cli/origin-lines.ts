import type { Origin } from "#protocol/lab.ts";
import { pathText, type SourcePath } from "#protocol/read-yaml.ts";

/** A line for each value of a configuration: its path, the value, and the template's line that set it. */
export function originLines(value: unknown, origins: Readonly<Record<string, Origin>>): string[] {
  return leavesOf(value, []).map(({ path, leaf }) => {
    const name = pathText(path);
    const origin = Object.hasOwn(origins, name) ? origins[name] : undefined;
    return `${name}: ${JSON.stringify(leaf)}${origin ? `  # ${placeText(origin)}` : ""}`;
  });
}

function placeText({ template, line, variable }: Origin): string {
  const place = template === "context" ? "the job's context" : `${template}:${line}`;
  return variable === undefined ? place : `${place} ${variable}`;
}

function leavesOf(value: unknown, path: SourcePath): { path: SourcePath; leaf: unknown }[] {
  if (typeof value !== "object" || value === null) return [{ path, leaf: value }];
  const entries: (readonly [string | number, unknown])[] = Array.isArray(value)
    ? value.map((item, index) => [index, item] as const)
    : Object.entries(value);
  if (entries.length === 0) return [{ path, leaf: value }];
  return entries.flatMap(([key, inner]) => leavesOf(inner, [...path, key]));
}
