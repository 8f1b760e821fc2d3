/** Chance that is the same each time for the same seed (Mulberry32). */
export interface Dice {
  /** Below 1. */
  roll(): number;
  between(least: number, most: number): number;
  of<T>(list: readonly T[]): T;
}

export function dice(seed: number): Dice {
  let state = seed >>> 0;
  const roll = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
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
