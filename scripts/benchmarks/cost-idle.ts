import { DEFAULT_SETTINGS } from "../../control-plane/domain/deps.ts";
import { cloudRounds, tick } from "../../control-plane/domain/tick.ts";
import { sync } from "../../control-plane/domain/sync.ts";
import { addWorker } from "../../control-plane/domain/workers.ts";
import { authenticate } from "../../control-plane/domain/tokens.ts";
import type { User } from "../../control-plane/domain/principal.ts";
import { system } from "../../control-plane/node-system.ts";
import type { Deps } from "../../control-plane/domain/deps.ts";
import { startCloud } from "../../test/support/aws/cloud.ts";
import { openCloudLab } from "../../test/support/aws/cloud-lab.ts";

/** Seconds from sync to sync of an agent that nothing happens to: a little less than it is told (worker/agent). */
const SYNC_EVERY_SECONDS = DEFAULT_SETTINGS.idleSyncSeconds * 0.95;

export interface IdleHour {
  readUnits: number;
  writeUnits: number;
  syncs: number;
}

/**
 * DynamoDB's part of an hour in which nothing happens, by the clock of the rules: `workers` that wait at their queues
 * and a tick each minute.
 */
export async function idleHour(workers: number): Promise<IdleHour> {
  let now = Date.parse("2026-01-01T00:00:00Z");
  const clock = { ...system, now: () => now, log: () => {} };
  const cloud = await startCloud({ now: () => now });
  const lab = await openCloudLab(cloud, cloud.place, clock);
  try {
    const principals = await makeWorkers(lab.deps, lab.adminToken, workers);
    const rounds = cloudRounds();
    const end = now + 2 * 3600_000;
    const due = principals.map((_, n) => now + (n * SYNC_EVERY_SECONDS * 1000) / workers);
    let syncs = 0;
    for (let minute = 0; now < end; minute++) {
      // The first hour brings everything into its rhythm.
      if (minute === 60) {
        cloud.dynamodb.meter.reset();
        syncs = 0;
      }
      for (const [n, principal] of principals.entries()) {
        if ((due[n] ?? 0) > now) continue;
        const request = { protocol: 1, version: "idle", runners: [], wait_seconds: 50 };
        // As http/principal-of.ts does before it.
        const known = await authenticate(lab.deps, principal.token);
        if (known) await sync(lab.deps, known, { ...request, waits: ["queue"] });
        due[n] = (due[n] ?? 0) + SYNC_EVERY_SECONDS * 1000;
        syncs++;
      }
      await tick(lab.deps, rounds);
      now += 60_000;
    }
    const { reads, writes, indexWrites } = cloud.dynamodb.meter.read();
    return { readUnits: reads, writeUnits: writes + indexWrites, syncs };
  } finally {
    lab.close();
    await cloud.close();
  }
}

async function makeWorkers(deps: Deps, adminToken: string, count: number) {
  const admin = (await authenticate(deps, adminToken)) as User;
  const names = Array.from({ length: count }, (_, n) => `idle-${n}`);
  return Promise.all(
    names.map((name) => addWorker(deps, admin, { name, description: "", job_limit: 0 })),
  );
}
