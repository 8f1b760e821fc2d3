/** A named, typed place where one action leaves a value for a later one (LAVA: namespace data). */
export interface Slot<out T> {
  readonly name: string;
  /** Never set: it carries T to the type checker. */
  readonly type?: T;
}

export const slot = <T>(name: string): Slot<T> => ({ name });

/** The values of one namespace. */
export class Slots {
  readonly #values = new Map<Slot<unknown>, unknown>();

  put<T>(key: Slot<T>, value: T): void {
    this.#values.set(key, value);
  }

  /** @throws if nothing was put: `checkPlan` proves that this can't happen in a checked plan. */
  take<T>(key: Slot<T>): T {
    if (!this.#values.has(key)) throw new Error(`slot ${key.name} is empty`);
    return this.#values.get(key) as T;
  }

  find<T>(key: Slot<T>): T | undefined {
    return this.#values.get(key) as T | undefined;
  }

  clear(key: Slot<unknown>): void {
    this.#values.delete(key);
  }
}
