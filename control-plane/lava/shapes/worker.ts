import type { WorkerView } from "#protocol/api.ts";
import type { LabWorker } from "#protocol/lab.ts";
import { orNull } from "./device.ts";

/**
 * As `scheduler.workers.show` tells of a worker (API.md 4), its texts only of whom they are for. There is no token: it is kept as
 * a hash, and nobody can be told it.
 */
export function workerDetails(worker: WorkerView, texts: Partial<LabWorker> = {}) {
  const { dispatcher = "", env = "", env_dut = "" } = texts;
  return {
    hostname: worker.name,
    description: orNull(worker.description),
    state: worker.state,
    health: worker.health,
    devices: worker.devices,
    // Clients can't do without one.
    last_ping: new Date(worker.last_sync ?? 0),
    job_limit: worker.job_limit,
    version: worker.version ?? null,
    default_config: dispatcher === "",
    default_env: env === "",
    default_env_dut: env_dut === "",
  };
}
