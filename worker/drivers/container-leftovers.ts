import { runCommand } from "../host/spawn.ts";
import { requireTool } from "../host/tool.ts";

/** By this label a container is known to be a job's: its value is the job's folder, unlike anything else here. */
export const jobLabel = (scratch: string): string => `pumice.job=${scratch}`;

/** What compose tells of a container, of itself: the folder of its file, and its project, which its networks have too. */
const COMPOSE_FOLDER = "com.docker.compose.project.working_dir";
const COMPOSE_PROJECT = "com.docker.compose.project";

/** A daemon that needs longer is no help any more. */
const PATIENCE_MS = 60_000;

/**
 * Removes the containers of a job whose runner was killed, its test services among them: they are no processes of its own.
 * Those on another machine (`docker_remote`) are out of reach, as only the runner knew where.
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
    const ask = async (...words: string[]): Promise<string[]> => {
      const { status, output } = await runCommand([client, ...words], { signal });
      return status === 0 ? output.split("\n").filter((line) => line !== "") : [];
    };
    try {
      const services = await servicesOf(scratch, ask);
      const own = await ask(...LIST, "--quiet", `--filter=label=${jobLabel(scratch)}`);
      const ids = [...new Set([...own, ...services.map(({ id }) => id)])].filter((id) =>
        /^[0-9a-f]{64}$/.test(id),
      );
      if (ids.length === 0) continue;
      // Removal by force alone may give them ten seconds to end first.
      await ask("kill", ...ids);
      await ask("rm", "--force", ...ids);
      for (const project of new Set(services.map((service) => service.project))) {
        const filter = `--filter=label=${COMPOSE_PROJECT}=${project}`;
        const networks = await ask("network", "ls", "--quiet", filter);
        if (networks.length > 0) await ask("network", "rm", ...networks);
      }
      log(`removed ${ids.length} containers that a killed runner left: ${ids.join(", ")}`);
    } catch (error) {
      log(`containers of ${scratch} can't be removed: ${String(error)}`);
    }
  }
}

const LIST = ["ps", "--all", "--no-trunc"];

/** Containers that compose started from a file below the job's folder. */
async function servicesOf(
  scratch: string,
  ask: (...words: string[]) => Promise<string[]>,
): Promise<{ id: string; project: string }[]> {
  const ids = await ask(...LIST, "--quiet", `--filter=label=${COMPOSE_FOLDER}`);
  if (ids.length === 0) return [];
  const label = (name: string): string => `{{index .Config.Labels "${name}"}}`;
  const format = ["{{.Id}}", label(COMPOSE_PROJECT), label(COMPOSE_FOLDER)].join(" ");
  const lines = await ask("inspect", `--format=${format}`, ...ids);
  return lines.flatMap((line) => {
    const [id = "", project = "", ...folder] = line.split(" ");
    return folder.join(" ").startsWith(`${scratch}/`) ? [{ id, project }] : [];
  });
}
