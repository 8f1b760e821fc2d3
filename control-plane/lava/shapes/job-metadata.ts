import type { Deps } from "../../domain/deps.ts";
import type { Principal } from "../../domain/principal.ts";
import { readMetadata } from "../../domain/results/suites.ts";

/** The attributes of a job as LAVA tells them: mappings of one key each, values as text. Throws `not_found`. */
export async function lavaMetadata(
  deps: Deps,
  principal: Principal,
  id: number,
): Promise<Record<string, string>[]> {
  const { metadata } = await readMetadata(deps, principal, { id });
  return Object.entries(metadata).map(([name, value]) => ({ [name]: value }));
}
