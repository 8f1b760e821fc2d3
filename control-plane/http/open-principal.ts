import { requireOpen } from "../domain/closed-lab.ts";
import type { Deps } from "../domain/deps.ts";
import type { Principal } from "../domain/principal.ts";
import { principalOf } from "./principal-of.ts";

/**
 * Who makes a request, as `principalOf` says; what would change anything is refused with `unavailable` while the lab is
 * closed. Both are read at the same time.
 */
export async function openPrincipal(deps: Deps, request: Request): Promise<Principal> {
  const reads = request.method === "GET" || request.method === "HEAD";
  const [principal, open] = await Promise.allSettled([
    principalOf(deps, request),
    reads ? undefined : requireOpen(deps),
  ]);
  if (principal.status === "rejected") throw principal.reason;
  if (open.status === "rejected") throw open.reason;
  return principal.value;
}
