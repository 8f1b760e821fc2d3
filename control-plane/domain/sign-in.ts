import { TableConflict } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { tokenKey } from "./keys.ts";
import { requireUser, type Principal } from "./principal.ts";
import { findToken, makeToken } from "./tokens.ts";

const LINK_SECONDS = 10 * 60;
export const SESSION_SECONDS = 30 * 24 * 60 * 60;

/** A code that signs a browser in as the user who asks, once, within ten minutes. */
export async function makeSignInLink(
  deps: Deps,
  principal: Principal,
): Promise<{ code: string; expires: string }> {
  const { name: subject, admin } = requireUser(principal);
  const { text, item } = makeToken(deps, {
    kind: "sign-in",
    subject,
    admin,
    description: "sign-in link",
    expiresInSeconds: LINK_SECONDS,
  });
  await deps.table.transact([{ put: item, when: "absent" }]);
  const expires = new Date(item.expires ?? deps.system.now()).toISOString();
  return { code: text, expires };
}

/** Trades a code for a session token. Throws `unauthenticated` when it is used up, too old or not ours. */
export async function redeemSignIn(deps: Deps, code: string): Promise<{ token: string }> {
  const link = await findToken(deps, code);
  if (link?.kind !== "sign-in") throw notValid();
  const { text, item } = makeSession(deps, link);
  try {
    await deps.table.transact([
      { delete: tokenKey(link.id), when: { version: 1 } },
      { put: item, when: "absent" },
    ]);
  } catch (error) {
    if (error instanceof TableConflict) throw notValid();
    throw error;
  }
  return { token: text };
}

/** Trades a person's token for a session token. Throws `unauthenticated` for any other text. */
export async function signInWithToken(deps: Deps, token: string): Promise<{ token: string }> {
  const user = await findToken(deps, token);
  if (user?.kind !== "user") {
    throw new AppError("unauthenticated", "this is not a valid token of a person");
  }
  const { text, item } = makeSession(deps, user);
  await deps.table.transact([{ put: item, when: "absent" }]);
  return { token: text };
}

const makeSession = (deps: Deps, { subject, admin }: { subject: string; admin: boolean }) =>
  makeToken(deps, {
    kind: "session",
    subject,
    admin,
    description: "browser",
    expiresInSeconds: SESSION_SECONDS,
  });

const notValid = () =>
  new AppError(
    "unauthenticated",
    "this sign-in link was used before or is older than ten minutes; ask for a new one with `pumice sign-in`",
  );
