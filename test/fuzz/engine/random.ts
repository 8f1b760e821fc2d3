import { mulberry } from "../../support/mulberry.ts";

/** Numbers that are the same for the same seed. */
export interface Random {
  /** From 0 to below `end`. */
  below(end: number): number;
  one<T>(list: readonly T[]): T;
}

export function makeRandom(seed: number): Random {
  const next = mulberry(seed);
  const below = (end: number): number => Math.floor(next() * end);
  return { below, one: (list) => list[below(list.length)] as (typeof list)[number] };
}
