import type { ContainerMount } from "../../drivers/container.ts";
import type { JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";

/**
 * Folders of the worker that its settings lend to every docker test (`test_docker_bind_mounts`): each a list of the
 * folder, its place in the container and `ro` or `rw` (the default).
 *
 * @throws JobFailure Configuration.
 */
export function boundFolders({ dispatcher }: JobContext): ContainerMount[] {
  const mounts: unknown = dispatcher["test_docker_bind_mounts"] ?? [];
  return (Array.isArray(mounts) ? mounts : [mounts]).map((mount: unknown) => {
    const [source, target = source, mode = "rw"] = [mount].flat().map(String);
    const isPath = [source, target].every((path) => path?.startsWith("/"));
    if (source === undefined || !isPath || !["ro", "rw"].includes(mode)) {
      const message = `test_docker_bind_mounts of the worker's settings: ${JSON.stringify(mount)}: expected a list of a folder, its place in the container, and ro or rw`;
      throw new JobFailure("Configuration", message);
    }
    return { source, target: target ?? source, isReadOnly: mode === "ro" };
  });
}
