import type { WorkerEnvironment } from "#protocol/worker-environment.ts";

/** Without these a program of the worker is not even found. */
const KEPT = new Set(["PATH", "HOME"]);

/**
 * Changes the environment that the programs of a job get, as the lab says for this worker (`env`): `purge` first, then
 * `removes`, then `overrides`. The worker's own settings (`PUMICE_...`) stay whatever it says: by them a job is found again.
 */
export function changeEnvironment(
  env: NodeJS.ProcessEnv,
  { purge, removes, overrides }: WorkerEnvironment,
): void {
  const gone = purge ? Object.keys(env).filter((name) => !KEPT.has(name)) : removes;
  for (const name of gone) if (!isOwn(name)) delete env[name];
  for (const [name, value] of Object.entries(overrides)) if (!isOwn(name)) env[name] = value;
}

const isOwn = (name: string): boolean => name.startsWith("PUMICE_");
