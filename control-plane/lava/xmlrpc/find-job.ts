import type { Deps } from "../../domain/deps.ts";
import { findSubJob } from "../../domain/group-record.ts";
import { Fault } from "./fault.ts";

/** The job that a client names by its id, or by its sub id (`12.1`) in a multinode group. Throws LAVA's fault. */
export async function findJob(deps: Deps, text: string): Promise<number> {
  const id = /^[1-9]\d{0,14}$/.test(text) ? Number(text) : await findSubJob(deps, text);
  if (id === undefined) throw new Fault(404, `Job '${text.slice(0, 100)}' was not found.`);
  return id;
}
