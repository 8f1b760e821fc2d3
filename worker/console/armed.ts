import type { Found, SeenText } from "./seen-text.ts";

/** A pattern that somebody waits for. */
export interface Armed<Name extends string> {
  readonly name: Name;
  readonly pattern: RegExp;
  /** A match counts once its line has ended. */
  readonly inLine: boolean;
}

const armedBefore = new WeakMap<object, { inLine: unknown; armed: readonly Armed<string>[] }>();

/**
 * Patterns that are waited for again and again are armed once; they must not change.
 *
 * @param inLine Of which patterns a match counts only in a line that has ended.
 */
export function arm<Name extends string>(
  patterns: Readonly<Record<Name, RegExp>>,
  inLine: boolean | readonly string[] = false,
): readonly Armed<Name>[] {
  const before = armedBefore.get(patterns);
  if (before?.inLine === inLine) return before.armed as readonly Armed<Name>[];
  const armed = armAll(patterns, inLine);
  armedBefore.set(patterns, { inLine, armed });
  return armed;
}

function armAll<Name extends string>(
  patterns: Readonly<Record<Name, RegExp>>,
  inLine: boolean | readonly string[],
): Armed<Name>[] {
  const all = Object.entries(patterns) as [Name, RegExp][];
  return all.map(([name, pattern]) => {
    return { name, pattern, inLine: typeof inLine === "boolean" ? inLine : inLine.includes(name) };
  });
}

/** The match that begins first; of those at the same place the one armed first. */
export function findFirst<Name extends string>(
  seen: SeenText,
  armed: readonly Armed<Name>[],
): (Found & { readonly name: Name }) | undefined {
  let name: Name | undefined;
  let first: Found | undefined;
  for (const candidate of armed) {
    const found = seen.find(candidate.pattern, candidate);
    if (found && (!first || found.start < first.start)) [name, first] = [candidate.name, found];
  }
  return name === undefined || !first ? undefined : { ...first, name };
}

const MAX_NAMED = 5;

/** What the first of some patterns look for, as evidence. */
export const firstSources = (patterns: Readonly<Record<string, RegExp>>): string[] =>
  Object.values(patterns)
    .slice(0, MAX_NAMED)
    .map(({ source }) => source);

/** Some patterns, for people: not more than anybody reads. */
export function sourcesOf(patterns: Readonly<Record<string, RegExp>>): string {
  const list = firstSources(patterns).map((source) => `/${source}/`);
  const more = Object.keys(patterns).length - list.length;
  return list.join(", ") + (more > 0 ? ` and ${more} more` : "");
}
