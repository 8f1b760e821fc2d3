import { randomUUID } from "node:crypto";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createFunctionPool, type FunctionMeter, type FunctionPool } from "./function-pool.ts";
import { startHttpFront, type FrontKind } from "./http-front.ts";
import { startQueueSource, type QueueOptions } from "./queue-source.ts";

export interface LambdaOptions {
  /** The folder with `FILE.mjs`; a copy of it is what runs, whatever becomes of it. */
  readonly bundleFolder: string;
  /** Environment variables of all functions. */
  readonly env?: Readonly<Record<string, string>>;
  /** By name: `http` is called by requests, `schedule` by the queue, `tick` by the clock. `events` by whoever listens and the table's stream. Pumice's unless told. */
  readonly functions?: Readonly<Record<string, FunctionSettings>>;
  readonly kind?: FrontKind;
  /** How long the front waits for the function; AWS's limit unless told. */
  readonly frontWaitMs?: number;
  readonly passesQueue?: QueueOptions;
  /** EventBridge's minute; by `tick()` alone when it is not given. */
  readonly tickEveryMs?: number;
}

interface FunctionSettings {
  /** `FILE.EXPORT` */
  readonly handler: string;
  readonly timeoutMs?: number;
  readonly memoryMb?: number;
  /** Calls at a time; others wait. */
  readonly maxEnvironments?: number;
}

export interface Gateway {
  /** Where the lab is: `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** Everything that the functions wrote, by line. */
  readonly lines: readonly string[];
  readonly meter: { read(): Record<string, FunctionMeter>; reset(): void };
  /** The function's answer as text. Throws `FunctionError`. */
  invoke(name: string, event: unknown): Promise<string>;
  /** One scheduled event; throws when the function failed. */
  tick(): Promise<void>;
  /** Environments of a function that are in a call now die, at once; says how many. Its callers see an error. */
  kill(name: string): number;
  /** Puts other code in place: calls from now on start with it, those that are at work end with the old. */
  deploy(bundleFolder: string): Promise<void>;
  /** All calls from now on start cold. */
  recycle(): Promise<void>;
  /** Resolves when no batch of passes is at work. */
  settled(): Promise<void>;
  /** Leaves no process and no port behind. */
  close(): Promise<void>;
}

const LAB_FUNCTIONS = {
  http: { handler: "http.handler", timeoutMs: 30_000 },
  schedule: { handler: "schedule.handler", timeoutMs: 60_000 },
  tick: { handler: "tick.handler", timeoutMs: 60_000, maxEnvironments: 1 },
  events: { handler: "events.handler", timeoutMs: 60_000 },
};

/** AWS's side of Lambda on this machine: environments, what calls them, and what would be billed. */
export async function startLambda(options: LambdaOptions): Promise<Gateway> {
  const { env = {}, kind = "http-api", tickEveryMs } = options;
  const dir = await mkdtemp(path.join(tmpdir(), "pumice-functions-"));
  let version = 0;
  const deployed = (): string => path.join(dir, String(version));
  const put = async (folder: string): Promise<void> => {
    await cp(folder, path.join(dir, String(version + 1)), { recursive: true });
    version++;
  };
  await put(options.bundleFolder);
  const lines: string[] = [];
  const pools = new Map<string, FunctionPool>();
  for (const [name, settings] of Object.entries(options.functions ?? LAB_FUNCTIONS)) {
    const { timeoutMs = 30_000, memoryMb = 512, maxEnvironments = 8, handler } = settings;
    const all = { name, handler, deployed, env, timeoutMs, memoryMb, maxEnvironments };
    pools.set(
      name,
      createFunctionPool(all, (line) => void lines.push(line)),
    );
  }
  const pool = (name: string): FunctionPool => {
    const found = pools.get(name);
    if (!found) throw new Error(`there is no function ${name}`);
    return found;
  };
  const invoke = async (name: string, event: unknown): Promise<string> => pool(name).invoke(event);
  const tick = async (): Promise<void> => void (await invoke("tick", scheduledEvent()));

  const recycle = async (): Promise<void> => {
    await Promise.all([...pools.values()].map(async (one) => one.recycle()));
  };

  const front = await startHttpFront(kind, (event) => invoke("http", event), options.frontWaitMs);
  const source =
    options.passesQueue &&
    startQueueSource(options.passesQueue, (event) => invoke("schedule", event));
  const ticking = tickEveryMs && setInterval(() => void tick().catch(() => {}), tickEveryMs);
  return {
    url: front.url,
    lines,
    meter: {
      read: () => Object.fromEntries([...pools].map(([name, one]) => [name, one.meter.read()])),
      reset: () => pools.forEach((one) => one.meter.reset()),
    },
    invoke,
    tick,
    kill: (name) => pool(name).kill(),
    async deploy(folder) {
      await put(folder);
      await recycle();
    },
    recycle,
    settled: async () => source?.settled(),
    async close() {
      if (ticking) clearInterval(ticking);
      const all = [...pools.values()].map(async (one) => one.close());
      await Promise.all([front.close(), source?.close(), ...all]);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

const scheduledEvent = () => ({
  version: "0",
  id: randomUUID(),
  "detail-type": "Scheduled Event",
  source: "aws.events",
  account: "000000000000",
  time: new Date().toISOString(),
  region: "eu-central-1",
  resources: ["arn:aws:events:eu-central-1:000000000000:rule/tick"],
  detail: {},
});
