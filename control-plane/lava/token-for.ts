import { AppError } from "../domain/app-error.ts";
import { requireOpen } from "../domain/closed-lab.ts";
import type { Deps } from "../domain/deps.ts";
import { labSettings } from "../domain/lab-settings.ts";
import { addToken } from "../domain/make-token.ts";
import { requireUser } from "../domain/principal.ts";
import { signInWithPassword, type From } from "../domain/sign-in.ts";
import { authenticate, listOwnTokens, revokeToken } from "../domain/tokens.ts";
import { askDirectories } from "../identity/ask-directories.ts";

/** Under this name a person finds them in their list. */
const DESCRIPTION = "REST: name and password at /api/v0.2/token/";
const DAYS = 30;
/** A script that asks each time it runs must not fill the list. */
const MOST = 10;
const REFUSED = "Unable to log in with provided credentials.";

/**
 * A token for whom this name and password belong to: good for a month, and for all but administration. The answer is the only
 * place that has its text; of a person's tokens of this kind the oldest goes when there are more than ten. Throws
 * `unauthenticated` and, as signing in does, `throttled`.
 */
export async function tokenFor(
  deps: Deps,
  { username, password }: { username: string; password: string },
  from: From,
): Promise<string> {
  await requireOpen(deps);
  const signedIn = { name: username, password };
  const session = await signInWithPassword(deps, signedIn, from, askDirectories(deps)).catch(
    (error: unknown) => {
      if (!(error instanceof AppError) || error.code !== "unauthenticated") throw error;
      throw new AppError("unauthenticated", REFUSED);
    },
  );
  if (!("token" in session)) {
    const message = "This password has to be changed first: sign in at /sign-in.";
    throw new AppError("unauthenticated", message);
  }
  const principal = await authenticate(deps, session.token);
  if (!principal) throw new AppError("unauthenticated", REFUSED);
  const user = requireUser(principal);
  const { longest_token_days = DAYS } = (await labSettings(deps)).sign_in;
  const { token } = await addToken(deps, user, {
    subject: user.name,
    description: DESCRIPTION,
    scopes: ["read", "submit", "workers"],
    expires_seconds: Math.min(DAYS, longest_token_days) * 86_400,
  });
  const theirs = (await listOwnTokens(deps, user)).filter((one) => one.description === DESCRIPTION);
  for (const { id } of theirs.slice(0, -MOST)) await revokeToken(deps, user, id);
  await revokeToken(deps, user, user.tokenId);
  return token;
}
