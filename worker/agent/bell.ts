import type { Clock } from "./clock.ts";

/** Wakes the one who waits for it; a ring while nobody waits is kept for the next wait. */
export class Bell {
  #rung = false;
  #sleeper: AbortController | undefined;

  ring = (): void => {
    this.#rung = true;
    this.#sleeper?.abort();
  };

  /** Returns at the next ring, at the latest after `ms`. */
  async wait(clock: Clock, ms: number): Promise<void> {
    if (!this.#rung) {
      this.#sleeper = new AbortController();
      await clock.sleep(ms, this.#sleeper.signal);
      this.#sleeper = undefined;
    }
    this.#rung = false;
  }
}
