import { requireTool } from "../host/tool.ts";
import type { JobContext } from "../pipeline/action.ts";

/**
 * The client: what the worker's settings name (`container_client`), else docker, else podman.
 *
 * @throws JobFailure Infrastructure when there is none.
 */
export function containerClient({ dispatcher }: Pick<JobContext, "dispatcher">): string {
  const named = dispatcher["container_client"];
  if (named === "docker" || named === "podman") {
    requireTool(named);
    return named;
  }
  try {
    requireTool("docker");
    return "docker";
  } catch (missing) {
    try {
      requireTool("podman");
      return "podman";
    } catch {
      throw missing;
    }
  }
}
