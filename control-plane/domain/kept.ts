/** What was made under a name, for when it is asked for again: of the latest asked for, in all at most so many characters. */
export interface Kept<T> {
  /** What was made under `name`, unless that is too long ago. */
  find(name: string): T | undefined;
  keep(name: string, made: T): void;
}

/** `charsOf`: how long something is; a name counts, too. Who has the name may have what was made. */
export function kept<T>(mostCharacters: number, charsOf: (made: T) => number): Kept<T> {
  const all = new Map<string, T>();
  let characters = 0;
  const sizeOf = (name: string, made: T): number => name.length + charsOf(made);
  const forget = (name: string, made: T): void => {
    characters -= sizeOf(name, made);
    all.delete(name);
  };
  return {
    find(name) {
      const made = all.get(name);
      if (made === undefined) return undefined;
      // A map goes in the order of its insertions: this is its youngest again.
      all.delete(name);
      all.set(name, made);
      return made;
    },
    keep(name, made) {
      const before = all.get(name);
      if (before !== undefined) forget(name, before);
      if (sizeOf(name, made) > mostCharacters) return;
      all.set(name, made);
      characters += sizeOf(name, made);
      for (const [oldest, old] of all) {
        if (characters <= mostCharacters) return;
        forget(oldest, old);
      }
    },
  };
}
