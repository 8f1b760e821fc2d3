import { runCommand } from "../host/spawn.ts";
import { requireTool } from "../host/tool.ts";

/** By this label a container is known to be a job's: its value is the job's folder, unlike anything else here. */
export const jobLabel = (scratch: string): string => `pumice.job=${scratch}`;

/** A daemon that needs longer is no help any more. */
const PATIENCE_MS = 60_000;

/**
 * Removes the containers of a job whose runner was killed: they are no processes of its own. Those on another machine
 * (`docker_remote`) are out of reach, as only the runner knew where.
 */
export async function removeJobContainers(
  scratch: string,
  log: (line: string) => void,
): Promise<void> {
  for (const client of ["docker", "podman"] as const) {
    try {
      requireTool(client);
    } catch {
      continue;
    }
    const signal = AbortSignal.timeout(PATIENCE_MS);
    try {
      const list = ["ps", "--all", "--quiet", "--no-trunc", `--filter=label=${jobLabel(scratch)}`];
      const { status, output } = await runCommand([client, ...list], { signal });
      const ids =
        status === 0 ? output.split("\n").filter((line) => /^[0-9a-f]{64}$/.test(line)) : [];
      if (ids.length === 0) continue;
      // Removal by force alone may give them ten seconds to end first.
      await runCommand([client, "kill", ...ids], { signal });
      await runCommand([client, "rm", "--force", ...ids], { signal });
      log(`removed ${ids.length} containers that a killed runner left: ${ids.join(", ")}`);
    } catch (error) {
      log(`containers of ${scratch} can't be removed: ${String(error)}`);
    }
  }
}
