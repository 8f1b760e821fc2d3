import { startEnvironment, type Environment, type FunctionOptions } from "./environment.ts";

/** What AWS bills a function for; `initMs` is a cold start's, billed since August 2025. */
export interface FunctionMeter {
  invocations: number;
  errors: number;
  coldStarts: number;
  billedMs: number;
  initMs: number;
  memoryMb: number;
}

export interface FunctionPool {
  /** The function's answer as text. Throws `FunctionError`. */
  invoke(event: unknown): Promise<string>;
  readonly meter: { read(): FunctionMeter; reset(): void };
  /** The environments that are at work now die at once; says how many. */
  kill(): number;
  /** No environment takes another call: the next one starts cold. Resolves when the idle ones are gone. */
  recycle(): Promise<void>;
  close(): Promise<void>;
}

interface Member {
  readonly environment: Environment;
  isBusy: boolean;
  isRetired: boolean;
}

/** A function with its environments: one call at a time each, as many as are needed up to `maxEnvironments`. */
export function createFunctionPool(
  options: FunctionOptions & { readonly maxEnvironments: number },
  hearLine: (line: string) => void,
): FunctionPool {
  const members = new Set<Member>();
  const waiting: (() => void)[] = [];
  const zero = { invocations: 0, errors: 0, coldStarts: 0, billedMs: 0, initMs: 0 };
  const counts = { ...zero };
  let starting = 0;
  let isClosed = false;

  async function start(): Promise<Member> {
    starting++;
    const environment = await startEnvironment(options, hearLine).finally(() => starting--);
    const member: Member = { environment, isBusy: true, isRetired: isClosed };
    members.add(member);
    counts.coldStarts++;
    if (isClosed) environment.kill();
    try {
      counts.initMs += Math.ceil(await environment.ready);
    } catch (error) {
      void release(member);
      throw error;
    }
    return member;
  }

  async function acquire(): Promise<Member> {
    for (;;) {
      if (isClosed) throw new Error(`${options.name}: the gateway is closed`);
      const idle = [...members].find(({ isBusy, isRetired }) => !isBusy && !isRetired);
      if (idle) {
        idle.isBusy = true;
        return idle;
      }
      if (members.size + starting < options.maxEnvironments) return start();
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  }

  /** Between its answer and its next question an environment takes nothing. */
  async function release(member: Member): Promise<void> {
    const { environment } = member;
    const isGone = await Promise.race([
      environment.gone.then(() => true),
      environment.idle().then(() => false),
    ]);
    if (isGone || member.isRetired) {
      environment.kill();
      await environment.gone;
      members.delete(member);
    }
    member.isBusy = false;
    waiting.shift()?.();
  }

  async function run(member: Member, event: unknown): Promise<string> {
    const started = performance.now();
    try {
      return await member.environment.invoke(JSON.stringify(event));
    } finally {
      counts.billedMs += Math.ceil(performance.now() - started);
      // Before the caller hears of it: who asks again at once meets this environment, not a new one.
      await release(member);
    }
  }

  return {
    async invoke(event) {
      counts.invocations++;
      try {
        return await run(await acquire(), event);
      } catch (error) {
        counts.errors++;
        throw error;
      }
    },
    meter: {
      read: () => ({ ...counts, memoryMb: options.memoryMb }),
      reset: () => void Object.assign(counts, zero),
    },
    kill() {
      const busy = [...members].filter(({ isBusy }) => isBusy);
      for (const { environment } of busy) environment.kill();
      return busy.length;
    },
    async recycle() {
      const idle = [...members].filter(({ isBusy }) => !isBusy);
      for (const member of members) member.isRetired = true;
      for (const { environment } of idle) environment.kill();
      await Promise.all(idle.map(async ({ environment }) => environment.gone));
      for (const member of idle) members.delete(member);
    },
    async close() {
      isClosed = true;
      for (const wake of waiting.splice(0)) wake();
      const all = [...members];
      for (const { environment } of all) environment.kill();
      await Promise.all(all.map(async ({ environment }) => environment.gone));
    },
  };
}
