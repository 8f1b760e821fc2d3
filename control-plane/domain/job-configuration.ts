import { readContext } from "#protocol/job-definition.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { deviceConfig } from "./device-texts.ts";
import { readDefinition } from "./jobs.ts";
import type { Principal } from "./principal.ts";
import { getVisibleJob } from "./visible.ts";
import { getWorkerSettings } from "./workers.ts";

/**
 * What a job runs with beside its definition: its device as it renders today with the job's context, and the texts of its worker.
 * Empty where there is none, and where whoever asks may not read it. Throws `not_found`.
 */
export async function jobConfiguration(
  deps: Deps,
  principal: Principal,
  id: number,
): Promise<{ device: string; dispatcher: string; env: string; env_dut: string }> {
  const job = await getVisibleJob(deps, principal, id);
  const context = readContext(await readDefinition(deps, principal, id));
  const { device: hostname, worker } = job;
  const device =
    hostname && (await ifAllowed(deviceConfig(deps, principal, hostname, { context })));
  const settings = worker ? await ifAllowed(getWorkerSettings(deps, principal, worker)) : undefined;
  const { dispatcher = "", env = "", env_dut = "" } = settings ?? {};
  return { device: device ? device.text : "", dispatcher, env, env_dut };
}

/** Undefined for what is refused. */
async function ifAllowed<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}
