/** What was asked for of late, in memory that is bounded. */
export interface Recent<T> {
  find(name: string): T | undefined;
  /** `chars`: about how much memory it takes. */
  keep(name: string, value: T, chars: number): void;
  forget(name: string): void;
}
interface Kept<T> {
  readonly value: T;
  readonly chars: number;
}

/** Of a name and what holds it. */
const OVERHEAD_CHARS = 200;

/** Two halves: when the newer is full, the older goes with all in it that was not asked for since. To keep an order of all would cost more. */
export function createRecent<T>(mostChars: number): Recent<T> {
  let newer = new Map<string, Kept<T>>();
  let older = new Map<string, Kept<T>>();
  let chars = 0;

  function insert(name: string, kept: Kept<T>): void {
    if (chars + kept.chars > mostChars / 2) {
      older = newer;
      newer = new Map();
      chars = 0;
    }
    newer.set(name, kept);
    chars += kept.chars;
  }
  function forget(name: string): void {
    const kept = newer.get(name);
    if (kept) chars -= kept.chars;
    newer.delete(name);
    older.delete(name);
  }
  return {
    forget,
    find(name) {
      const kept = newer.get(name);
      if (kept) return kept.value;
      const before = older.get(name);
      if (!before) return undefined;
      older.delete(name);
      insert(name, before);
      return before.value;
    },
    keep(name, value, given) {
      forget(name);
      insert(name, { value, chars: given + OVERHEAD_CHARS });
    },
  };
}
