import type { Context } from "hono";
import type { Scope } from "#protocol/sign-in.ts";
import { AppError } from "../domain/app-error.ts";
import { requireOpen } from "../domain/closed-lab.ts";
import type { Deps } from "../domain/deps.ts";
import { ANONYMOUS, type Principal } from "../domain/principal.ts";
import { authenticate } from "../domain/tokens.ts";
import { ARCHIVE } from "../http/archive.ts";
import { clientAddress } from "../http/client-address.ts";
import { makeFailureLimit, type FailureLimit } from "../http/failure-limit.ts";
import { requireOwnPage, seesAnonymously, sessionToken } from "../http/principal-of.ts";

/**
 * Who asks as LAVA's clients do: by `Authorization: Basic USER:TOKEN` (XML-RPC; the token must be that user's), `Token TOKEN` or
 * `Bearer TOKEN`, else by the session cookie, else nobody, who is `ANONYMOUS`: what they may see is `requireLavaScope`'s to say.
 * Throws `unauthenticated` for a token that is not valid, `invalid` for a header that is none, and `throttled` where too many
 * failed from one address.
 */
export async function lavaPrincipal(deps: Deps, c: Context): Promise<Principal> {
  const header = c.req.header("authorization");
  if (header === undefined) return fromSession(deps, c.req.raw);
  const { user, token } = credentialsIn(header);
  const principal = await authenticate(deps, token);
  const isTheirs = principal?.kind === "user" && (user === undefined || user === principal.name);
  // A machine's token speaks for itself, where no user is named.
  const isMachine = principal?.kind === "worker" || principal?.kind === "job";
  if (isTheirs || (isMachine && user === undefined)) return principal;
  const failures = limitOf(deps);
  const address = clientAddress(c);
  failures.check(address);
  failures.note(address);
  throw new AppError("unauthenticated", "Invalid token");
}

/**
 * Throws unless whoever asks may do what needs this scope: `unauthenticated` for nobody, where they would change something or
 * the lab shows nothing to them; `forbidden` where their token is not good for it or the lab is an archive; `unavailable` for
 * changes while the lab is closed.
 */
export async function requireLavaScope(
  deps: Deps,
  principal: Principal,
  scope: Scope,
): Promise<void> {
  if (principal.kind === ANONYMOUS) {
    if (scope === "read" && (await seesAnonymously(deps))) return;
    throw new AppError(
      "unauthenticated",
      "Authentication with user and token required for this API.",
    );
  }
  if (scope === "read") return;
  const { scopes } = "scopes" in principal ? principal : {};
  if (scopes && !scopes.includes(scope) && !scopes.includes("admin")) {
    const has = scopes.join(", ");
    throw new AppError("forbidden", `this needs a token with the scope ${scope}; it has: ${has}`);
  }
  if (deps.settings.archive) throw new AppError("forbidden", ARCHIVE);
  await requireOpen(deps);
}

async function fromSession(deps: Deps, request: Request): Promise<Principal> {
  const session = sessionToken(request);
  if (session === undefined) return { kind: ANONYMOUS };
  const principal = await authenticate(deps, session);
  if (principal?.kind !== "session") {
    throw new AppError("unauthenticated", "the session has ended; sign in again");
  }
  requireOwnPage(request);
  return principal;
}

function credentialsIn(header: string): { user?: string; token: string } {
  const [, scheme = "", value] = /^(\w+) +(\S+)\s*$/.exec(header) ?? [];
  if (value === undefined) {
    throw new AppError("invalid", "Authorization: expected `Basic` with USER:TOKEN, or `Token X`");
  }
  if (/^(bearer|token)$/i.test(scheme)) return { token: value };
  if (scheme.toLowerCase() !== "basic") {
    const message = "Authorization: expected the scheme Basic, Token or Bearer";
    throw new AppError("invalid", message);
  }
  const [, user, token] = /^([^:]*):(.*)$/s.exec(decoded(value)) ?? [];
  if (user === undefined || token === undefined) {
    throw new AppError("invalid", "Authorization: expected base64 of USER:TOKEN after Basic");
  }
  return { user, token };
}

function decoded(base64: string): string {
  try {
    return Buffer.from(atob(base64), "latin1").toString();
  } catch {
    return "";
  }
}

const limits = new WeakMap<Deps, FailureLimit>();

/** One for each lab, whichever surface is asked. */
function limitOf(deps: Deps): FailureLimit {
  const found = limits.get(deps) ?? makeFailureLimit(() => deps.system.now());
  limits.set(deps, found);
  return found;
}
