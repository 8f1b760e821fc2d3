import { setTimeout as sleep } from "node:timers/promises";
import type { Bell, Listener, Signals } from "../../ports/signals.ts";

export interface EmbeddedSignals extends Signals {
  /**
   * Says who runs scheduling passes; what was requested before is run now. `failed` hears of a pass that threw. `most`: how many of a device
   * type may run at once, 1 unless it is said.
   */
  servePasses(
    pass: (deviceType: string) => Promise<void>,
    failed: (error: unknown) => void,
    most?: (deviceType: string) => number,
  ): void;
  /** Resolves when no pass runs and none is asked for. */
  passesDone(): Promise<void>;
  /** Ends every wait, now and from now on, and begins no pass any more. */
  close(): void;
}

interface Waiting {
  rung: boolean;
  wake: (() => void) | undefined;
}

/** After the beginning of a pass of a device type: so many submissions a second don't have a pass each. */
const REST_MS = 5;

/** Doorbells in memory. Passes run in this process, and requests that come while none can begin become one more. */
export function createSignals(): EmbeddedSignals {
  const listeners = new Map<Bell, Set<Waiting>>();
  const passes = createPasses();
  let closed = false;

  const wakeAll = (waiting: Iterable<Waiting>) => {
    for (const one of waiting) {
      one.rung = true;
      one.wake?.();
    }
  };

  return {
    requestPass: passes.requestPass,
    servePasses: passes.servePasses,
    passesDone: passes.passesDone,
    // Whoever waits here waits for an answer of this process.
    grantWait: async () => undefined,
    remove: async () => {},
    async ring(bell) {
      wakeAll(listeners.get(bell) ?? []);
    },
    listen(bell) {
      const waiting: Waiting = { rung: false, wake: undefined };
      const others = listeners.get(bell) ?? new Set();
      listeners.set(bell, others.add(waiting));
      return listener(
        waiting,
        () => closed,
        () => {
          others.delete(waiting);
          if (others.size === 0 && listeners.get(bell) === others) listeners.delete(bell);
        },
      );
    },
    isClosed: () => closed,
    close() {
      closed = true;
      passes.stop();
      for (const waiting of listeners.values()) wakeAll(waiting);
    },
  };
}

function listener(waiting: Waiting, isClosed: () => boolean, close: () => void): Listener {
  return {
    async rung(timeoutMs, signal) {
      if (!waiting.rung && !isClosed() && !signal?.aborted) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(done, timeoutMs);
          function done() {
            clearTimeout(timer);
            signal?.removeEventListener("abort", done);
            waiting.wake = undefined;
            resolve();
          }
          waiting.wake = done;
          signal?.addEventListener("abort", done);
        });
      }
      const rung = waiting.rung && !isClosed();
      waiting.rung = false;
      return rung;
    },
    close,
  };
}

function createPasses(): Pick<EmbeddedSignals, "requestPass" | "servePasses" | "passesDone"> & {
  stop(): void;
} {
  const wanted = new Set<string>();
  const running = new Map<string, Set<Promise<void>>>();
  const resting = new Map<string, Promise<void>>();
  const begun = new Map<string, number>();
  let run: ((deviceType: string) => Promise<void>) | undefined;
  let mostOf = (_deviceType: string): number => 1;

  /** Whoever asks while one rests, or while there are as many as may be, is served by the next. */
  function start(deviceType: string): void {
    if (!run || resting.has(deviceType) || isFull(deviceType)) return;
    resting.set(deviceType, begin(deviceType));
  }
  const isFull = (deviceType: string): boolean =>
    (running.get(deviceType)?.size ?? 0) >= mostOf(deviceType);

  async function begin(deviceType: string): Promise<void> {
    const rest = (begun.get(deviceType) ?? 0) + REST_MS - performance.now();
    // Never inside of the call that asked: its answer does not wait for the pass.
    await (rest > 0 ? sleep(rest) : new Promise<void>((resolve) => setImmediate(resolve)));
    resting.delete(deviceType);
    // Where there are as many as may be, the end of one begins the next.
    if (!run || isFull(deviceType) || !wanted.delete(deviceType)) return;
    begun.set(deviceType, performance.now());
    const others = running.get(deviceType) ?? new Set();
    const pass = run(deviceType).finally(() => {
      others.delete(pass);
      if (wanted.has(deviceType)) start(deviceType);
    });
    running.set(deviceType, others.add(pass));
  }
  return {
    async requestPass(deviceType) {
      wanted.add(deviceType);
      start(deviceType);
    },
    servePasses(pass, failed, most = () => 1) {
      run = (deviceType) => pass(deviceType).catch(failed);
      mostOf = most;
      for (const deviceType of wanted) start(deviceType);
    },
    stop() {
      run = undefined;
      wanted.clear();
    },
    async passesDone() {
      for (;;) {
        const open = [...resting.values(), ...[...running.values()].flatMap((all) => [...all])];
        if (open.length === 0) return;
        await Promise.all(open);
      }
    },
  };
}
