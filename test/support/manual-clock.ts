import type { Clock } from "../../worker/agent/clock.ts";

interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

/** Time that only passes when the test says so. */
export class ManualClock implements Clock {
  #set = 0;
  #now = Date.parse("2026-03-01T12:00:00Z");
  readonly #sleepers = new Set<Sleeper>();
  readonly #waiting: (() => void)[] = [];

  readonly #onSet = new Set<() => void>();

  now = (): number => this.#now;

  wall = (): number => this.#now + this.#set;

  onSet = (callback: () => void): (() => void) => {
    this.#onSet.add(callback);
    return () => this.#onSet.delete(callback);
  };

  /** Somebody sets the machine's clock ahead. */
  set(ms: number): void {
    this.#set += ms;
    for (const callback of this.#onSet) callback();
  }

  random = (): number => 0.5;

  sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (signal?.aborted || ms <= 0) return resolve();
      const wake = (): void => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      const sleeper = { until: this.#now + ms, wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", wake, { once: true });
      for (const look of this.#waiting.splice(0)) look();
    });

  /** How long those who sleep still have to, in milliseconds, shortest first. */
  get delays(): number[] {
    return [...this.#sleepers].map(({ until }) => until - this.#now).sort((a, b) => a - b);
  }

  /** Lets time pass and wakes who is due. */
  advance(ms: number): void {
    this.#now += ms;
    for (const { until, wake } of this.#sleepers) if (until <= this.#now) wake();
  }

  /** Resolves when the condition on `delays` holds; asked again at every sleep that begins. */
  async until(condition: (delays: number[]) => boolean): Promise<void> {
    while (!condition(this.delays)) await new Promise<void>((done) => this.#waiting.push(done));
  }
}
