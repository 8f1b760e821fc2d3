import { DEFAULT_SETTINGS, type Deps } from "../../control-plane/domain/deps.ts";
import type { DeviceRecord } from "../../control-plane/domain/device-record.ts";
import type { JobRecord } from "../../control-plane/domain/job-record.ts";
import type { User } from "../../control-plane/domain/principal.ts";
import { queryAll } from "../../control-plane/domain/query-all.ts";
import { schedulePass } from "../../control-plane/domain/schedule.ts";
import { firstAdminToken, setUpLab } from "../../control-plane/domain/set-up-lab.ts";
import { tick } from "../../control-plane/domain/tick.ts";
import { authenticate } from "../../control-plane/domain/tokens.ts";
import type { WorkerRecord } from "../../control-plane/domain/worker-record.ts";
import {
  createSignals,
  type EmbeddedSignals,
} from "../../control-plane/engines/embedded/signals.ts";
import { openStore } from "../../control-plane/engines/embedded/store.ts";
import { openTable } from "../../control-plane/engines/embedded/table.ts";
import { system as nodeSystem } from "../../control-plane/node-system.ts";
import { planner } from "../../control-plane/planner.ts";
import type { Blobs } from "../../control-plane/ports/blobs.ts";
import { stockTemplates } from "../../control-plane/stock-templates.ts";
import { Crash, crashingTable, type CrashingTable } from "./crashing-table.ts";
import { witnessedTable } from "./witnessed-table.ts";

const templates = stockTemplates();
const nobody = () => Promise.reject(new Error("nobody is called from here"));
const outbound = { call: nobody, mail: nobody };

/** The rules of a lab over a table in memory: fast, with a clock of its own, and a process that can die between any two writes. */
export interface MemoryWorld {
  /** Of the process that lives now. */
  readonly deps: Deps;
  readonly admin: User;
  readonly crashes: CrashingTable;
  /** What was changed without its entry among the changes, or the other way round. */
  readonly complaints: string[];
  /** What passes threw, crashes left out. */
  readonly failures: unknown[];
  pass(seconds: number): void;
  /**
   * Does something, and all that follows from it. When the process dies of it, another one takes its place: passes that were asked
   * for are forgotten, and a sweep makes up for them.
   */
  run(step: () => Promise<unknown>): Promise<void>;
  settled(): Promise<void>;
  jobs(): Promise<JobRecord[]>;
  devices(): Promise<DeviceRecord[]>;
  workers(): Promise<WorkerRecord[]>;
  close(): void;
}

/**
 * A lab that has been set up, and nothing else. `isRefusal` says which errors of a step are answers; by `seed` it is drawn who
 * of those that are at work at the same time comes first; with an even one each write follows at once on what it relies on.
 */
export async function memoryWorld(
  isRefusal: (error: unknown) => boolean,
  seed = 0,
): Promise<MemoryWorld> {
  let now = Date.parse("2026-03-01T12:00:00Z");
  let ids = 0;
  const system = {
    ...nodeSystem,
    now: () => now,
    // In order, so that changes of one moment are.
    id: () => (++ids).toString(16).padStart(16, "0"),
    log: () => {},
  };
  const complaints: string[] = [];
  const failures: unknown[] = [];
  const store = openStore(":memory:");
  const stored = openTable(store, system.now);
  let dice = seed;
  // Numerical Recipes' generator; its upper bits are the random ones.
  const given = (what: "read" | "write"): number => {
    if (seed % 2 === 0) return 0;
    dice = (Math.imul(dice, 1664525) + 1013904223) >>> 0;
    // Now and then somebody else does all they have to do between what was read and the write that relies on it.
    const isLong = what === "write" && (dice >>> 26) % 6 === 0;
    return isLong ? 30 + ((dice >>> 16) % 128) : dice >>> 30;
  };
  const witnessed = witnessedTable(stored, (what) => complaints.push(what));
  const crashes = crashingTable(witnessed, given);
  const blobs = memoryBlobs();
  const settings = {
    ...DEFAULT_SETTINGS,
    secret: "secret",
    engine: "memory",
    jobLeaseSeconds: 600,
  };
  let signals: EmbeddedSignals;
  let deps: Deps;
  const begin = () => {
    signals = createSignals();
    deps = { table: crashes.table, blobs, signals, system, templates, settings, outbound, planner };
    signals.servePasses(
      (deviceType) => schedulePass(deps, deviceType),
      (error) => void (crashes.isDead || error instanceof Crash || failures.push(error)),
    );
  };
  begin();
  const token = firstAdminToken(deps!);
  await setUpLab(deps!, token);
  const admin = (await authenticate(deps!, token)) as User;

  const settled = () => signals.passesDone();
  async function all<T>(list: string): Promise<T[]> {
    const found: T[] = [];
    for await (const { data } of queryAll<T>(deps, "i1", list)) found.push(data);
    return found;
  }
  return {
    admin,
    crashes,
    complaints,
    failures,
    get deps() {
      return deps;
    },
    pass: (seconds) => void (now += seconds * 1000),
    settled,
    async run(step) {
      try {
        await step();
      } catch (error) {
        if (!crashes.isDead && !isRefusal(error)) throw error;
      }
      await settled();
      if (!crashes.isDead) return;
      signals.close();
      await settled();
      crashes.revive();
      // It takes a second to start.
      now += 1000;
      begin();
      await tick(deps);
      await settled();
    },
    jobs: () => all("jobs"),
    devices: () => all("devices"),
    workers: () => all("workers"),
    close() {
      signals.close();
      store.close();
    },
  };
}

/** Lets others have so many turns: a pass that gives a job its device takes some 80. */
export async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left--) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

function memoryBlobs(): Blobs {
  const files = new Map<string, Uint8Array>();
  const none = () => Promise.reject(new Error("nothing is signed here"));
  return {
    put: async (key, bytes) => void files.set(key, bytes),
    get: async (key) => files.get(key),
    sizeBytes: async (key) => files.get(key)?.length,
    signPut: none,
    signGet: none,
    remove: async (key) => void files.delete(key),
  };
}
