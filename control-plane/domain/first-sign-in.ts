import type { Deps } from "./deps.ts";
import { FIRST_ADMIN } from "./set-up-lab.ts";
import { makeSignInLink } from "./sign-in.ts";
import { listOwnTokens } from "./tokens.ts";

/**
 * The code of a link that signs a browser in as the lab's first administrator, once, within ten minutes; undefined as soon as that
 * administrator has signed in anywhere, has used the first token or has another one: who knows how to sign in is shown no secret.
 */
export async function firstSignInCode(deps: Deps): Promise<string | undefined> {
  const user = { kind: "user", name: FIRST_ADMIN, admin: true, groups: [], tokenId: "" } as const;
  const [first, ...others] = await listOwnTokens(deps, user);
  if (first?.kind !== "user" || !first.admin || others.length > 0) return undefined;
  if (first.last_used !== undefined) return undefined;
  return (await makeSignInLink(deps, { ...user, tokenId: first.id })).code;
}
