import { longest, requiredTexts, type OneOf } from "./required-texts.ts";

/** A pattern, and what is known of it before any text is seen. */
export interface Sought {
  readonly pattern: RegExp;
  /** What it is known by: two that are written alike are one. */
  readonly key: string;
  readonly lineKey: string;
  /** What stands in each match, in this order. */
  readonly required: readonly OneOf[];
  /** Of that what is worth looking for first. */
  readonly rarest: OneOf | undefined;
  readonly rarestChars: number;
  /** Finds a match only where the search begins; for patterns that say something about what stands before. */
  readonly atStart: RegExp | undefined;
  /** It says more about what stands before than one character tells. */
  readonly looksBehind: boolean;
}

const known = new WeakMap<RegExp, Sought>();

/** What is known of a pattern; it is studied once. */
export function soughtOf(pattern: RegExp): Sought {
  let sought = known.get(pattern);
  if (!sought) {
    sought = study(pattern);
    known.set(pattern, sought);
  }
  return sought;
}

function study(pattern: RegExp): Sought {
  const { source, flags } = pattern;
  const key = `${flags}/${source}`;
  const required = requiredTexts(pattern);
  const rarest = longest(required);
  const saysWhatIsBefore = /\^|\\[bB]/.test(source.replaceAll("[^", "["));
  return {
    pattern,
    key,
    lineKey: `line ${key}`,
    required,
    rarest,
    rarestChars: Math.max(0, ...(rarest ?? []).map(({ length }) => length)),
    atStart: saysWhatIsBefore ? new RegExp(source, flags.replace("g", "y")) : undefined,
    looksBehind: /\(\?<[=!]/.test(source),
  };
}

/** Where the first of the texts begins at or behind `from`; -1 when none does. */
export function firstOf(texts: OneOf, text: string, from: number): number {
  let first = text.indexOf(texts[0] ?? "", from);
  for (let n = 1; n < texts.length; n++) {
    const at = text.indexOf(texts[n] ?? "", from);
    if (at >= 0 && (first < 0 || at < first)) first = at;
  }
  return first;
}

/** Whether all that a pattern requires stands behind `from`, one after the other. */
export function hasAll(required: readonly OneOf[], text: string, from: number): boolean {
  let at = from;
  for (const texts of required) {
    let end = Infinity;
    for (const one of texts) {
      const found = text.indexOf(one, at);
      if (found >= 0) end = Math.min(end, found + one.length);
    }
    if (end === Infinity) return false;
    at = end;
  }
  return true;
}
