import { mulberry } from "../../support/mulberry.ts";

/** Numbers in [0, 1) that only depend on the seed and on how many were taken before. */
export type Random = () => number;

/** A stream of its own for each pair of seed and name, so that one fault's rate changes nothing of another's. */
export function seededRandom(seed: number, name: string): Random {
  let hash = 2166136261 ^ seed;
  for (const character of `${name}/${seed}`) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 16777619);
  }
  return mulberry(hash);
}

/** A whole number from `low` to `high`, both possible. */
export const between = (random: Random, low: number, high: number): number =>
  low + Math.floor(random() * (high - low + 1));

export function pick<T>(random: Random, list: readonly [T, ...T[]]): T {
  return list[Math.floor(random() * list.length)] ?? list[0];
}

/** How far it is to the next of events that come every `mean` characters on average; Infinity for none. */
export const gap = (random: Random, mean: number): number =>
  mean > 0 ? Math.max(1, Math.ceil(-Math.log(1 - random()) * mean)) : Infinity;
