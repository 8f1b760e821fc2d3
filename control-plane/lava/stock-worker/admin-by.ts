import { AppError } from "../../domain/app-error.ts";
import type { Deps } from "../../domain/deps.ts";
import type { User } from "../../domain/principal.ts";
import { signInWithPassword, type From } from "../../domain/sign-in.ts";
import { authenticate, revokeToken } from "../../domain/tokens.ts";
import { askDirectories } from "../../identity/ask-directories.ts";

/**
 * The administrator whose name and password these are, as on the sign-in page; a token of theirs will do for a password.
 * Undefined for anybody else. Throws `throttled`.
 */
export async function adminBy(
  deps: Deps,
  { name, password }: { name: string; password: string | null },
  from: From,
): Promise<User | undefined> {
  if (password === null) return undefined;
  const byToken = await authenticate(deps, password);
  if (byToken) return isAdmin(byToken, name) ? byToken : undefined;
  try {
    const session = await signInWithPassword(deps, { name, password }, from, askDirectories(deps));
    if (!("token" in session)) return undefined;
    const user = await authenticate(deps, session.token);
    if (user?.kind !== "session") return undefined;
    await revokeToken(deps, user, user.tokenId);
    return user.admin ? user : undefined;
  } catch (error) {
    if (error instanceof AppError && error.code === "unauthenticated") return undefined;
    throw error;
  }
}

const isAdmin = (
  principal: NonNullable<Awaited<ReturnType<typeof authenticate>>>,
  name: string,
): principal is User =>
  principal.kind === "user" && principal.name === name && principal.admin && !principal.scopes;
