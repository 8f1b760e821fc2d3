import { setTimeout as sleep } from "node:timers/promises";
import type { Bell, Listener, Signals } from "../../ports/signals.ts";

export interface EmbeddedSignals extends Signals {
  /** Says who runs scheduling passes; what was requested before is run now. `failed` hears of a pass that threw. */
  servePasses(pass: (deviceType: string) => Promise<void>, failed: (error: unknown) => void): void;
  /** Resolves when no pass runs and none is asked for. */
  passesDone(): Promise<void>;
  /** Ends every wait, now and from now on, and begins no pass any more. */
  close(): void;
}

interface Waiting {
  rung: boolean;
  wake: (() => void) | undefined;
}

/** After a pass of a device type: so many submissions a second don't have a pass each. */
const REST_MS = 5;

/** Doorbells in memory. Passes run in this process, one at a time per device type, and requests during a pass or its rest become one more. */
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
  const running = new Map<string, Promise<void>>();
  const ended = new Map<string, number>();
  let run: ((deviceType: string) => Promise<void>) | undefined;

  function start(deviceType: string): void {
    if (!run || running.has(deviceType)) return;
    running.set(deviceType, work(run, deviceType));
  }
  async function work(pass: (deviceType: string) => Promise<void>, deviceType: string) {
    while (wanted.has(deviceType)) {
      const rest = (ended.get(deviceType) ?? 0) + REST_MS - performance.now();
      // Never inside of the call that asked: its answer does not wait for the pass.
      await (rest > 0 ? sleep(rest) : new Promise<void>((resolve) => setImmediate(resolve)));
      if (wanted.delete(deviceType)) await pass(deviceType);
      ended.set(deviceType, performance.now());
    }
    running.delete(deviceType);
  }
  return {
    async requestPass(deviceType) {
      wanted.add(deviceType);
      start(deviceType);
    },
    servePasses(pass, failed) {
      run = (deviceType) => pass(deviceType).catch(failed);
      for (const deviceType of wanted) start(deviceType);
    },
    stop() {
      run = undefined;
      wanted.clear();
    },
    async passesDone() {
      while (running.size > 0) await Promise.all(running.values());
    },
  };
}
