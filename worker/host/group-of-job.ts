import type { Group } from "../pipeline/group.ts";
import { HttpClient } from "./http-client.ts";
import { multinodeClient } from "./multinode-client.ts";

/**
 * The way of a runner to its job's group: the control plane of the agent that started it (`PUMICE_URL`), by the agent's
 * proxies, authorities and pin, which came along in the environment. Undefined where there is none.
 */
export function groupOfJob(
  ticket: { readonly job_id: number; readonly token: string },
  env: NodeJS.ProcessEnv = process.env,
): { readonly group: Group; readonly close: () => void } | undefined {
  const url = env["PUMICE_URL"];
  if (!url || ticket.token === "") return undefined;
  const http = new HttpClient(url, { env });
  const group = multinodeClient(http, { id: ticket.job_id, token: ticket.token });
  return { group, close: () => http.close() };
}
