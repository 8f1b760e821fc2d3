import { mulberry } from "../../test/support/mulberry.ts";

/** Chance that is the same each time for the same seed. */
export interface Dice {
  /** Below 1. */
  roll(): number;
  between(least: number, most: number): number;
  of<T>(list: readonly T[]): T;
}

export function dice(seed: number): Dice {
  const roll = mulberry(seed);
  const between = (least: number, most: number): number => least + roll() * (most - least);
  return {
    roll,
    between,
    of: (list) => {
      if (list.length === 0) throw new Error("nothing to choose from");
      return list[Math.floor(roll() * list.length)]!;
    },
  };
}
