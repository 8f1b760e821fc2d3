/** Lines that an address names; they count from 1. */
export interface LineRange {
  from: number;
  to: number;
}

/** `#L10` or `#L10-L20`; undefined for every other hash. */
export function rangeOf(hash: string): LineRange | undefined {
  const found = /^#L(\d{1,9})(?:-L?(\d{1,9}))?$/.exec(hash);
  if (!found) return undefined;
  const one = Math.max(1, Number(found[1]));
  const other = Math.max(1, Number(found[2] ?? one));
  return { from: Math.min(one, other), to: Math.max(one, other) };
}

/** The hash that names the lines. */
export const hashOf = ({ from, to }: LineRange): string =>
  from === to ? `#L${from}` : `#L${from}-L${to}`;
