import type { Deps } from "../../domain/deps.ts";
import { ANONYMOUS, type Principal } from "../../domain/principal.ts";
import { authenticate } from "../../domain/tokens.ts";
import { bearerIn, seesAnonymously } from "../../http/principal-of.ts";

/** What a request for LAVA's event stream says of whom it comes from. */
interface Shown {
  readonly authorization?: string | undefined;
  /** Of the header `LAVA-Token`. */
  readonly lavaToken?: string | undefined;
  /** Of the address, `?token=`. */
  readonly token?: string | undefined;
}

/** Who wants to listen; undefined for nobody who may. No cookie counts: other sites' pages could listen with it. */
export async function listenerOf(
  deps: Deps,
  { authorization, lavaToken, token }: Shown,
): Promise<Principal | undefined> {
  const shown = bearerIn(authorization ?? "") ?? token ?? lavaToken;
  if (shown === undefined) {
    return (await seesAnonymously(deps)) ? { kind: ANONYMOUS } : undefined;
  }
  const principal = await authenticate(deps, shown);
  if (principal?.kind === "worker") return principal;
  if (principal?.kind !== "user") return undefined;
  const { scopes } = principal;
  return !scopes || scopes.includes("read") || scopes.includes("admin") ? principal : undefined;
}
