import { getPath } from "hono/utils/url";
import { isGranted } from "../domain/access.ts";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import { labSettings } from "../domain/lab-settings.ts";
import { ANONYMOUS, type Principal } from "../domain/principal.ts";
import { authenticate } from "../domain/tokens.ts";
import { requireScope } from "./scope-of.ts";

export const SESSION_COOKIE = "pumice_session";

/**
 * Who makes a request: by `Authorization: Bearer TOKEN` (or `Token TOKEN`), else by the session cookie, which
 * counts for changes only when the request comes from our own pages. Throws `unauthenticated`, or `forbidden`, also when
 * the token's scopes don't reach so far.
 */
export async function principalOf(deps: Deps, request: Request): Promise<Principal> {
  const principal = await anyPrincipalOf(deps, request);
  // As the routes are found by: `/%62ackup` is `/backup`.
  requireScope(principal, request.method, getPath(request));
  return principal;
}

async function anyPrincipalOf(deps: Deps, request: Request): Promise<Principal> {
  const header = request.headers.get("authorization");
  if (header !== null) {
    const bearer = bearerIn(header);
    const principal = bearer === undefined ? undefined : await authenticate(deps, bearer);
    if (principal && principal.kind !== "session") return principal;
    throw new AppError("unauthenticated", "the token is not valid (any more)");
  }
  const session = sessionToken(request);
  if (session === undefined) {
    const isReading = request.method === "GET" || request.method === "HEAD";
    if (isReading && (await seesAnonymously(deps))) return { kind: ANONYMOUS };
    throw new AppError("unauthenticated", "a token is needed: `Authorization: Bearer TOKEN`");
  }
  const principal = await authenticate(deps, session);
  if (principal?.kind !== "session") {
    throw new AppError("unauthenticated", "the session has ended; sign in again");
  }
  requireOwnPage(request);
  return principal;
}

/** The token of a header `Authorization: Bearer TOKEN`, or `Token TOKEN` as LAVA's clients write it. */
export const bearerIn = (header: string): string | undefined =>
  /^(?:bearer|token) +(\S+)\s*$/i.exec(header)?.[1];

/** Whether the lab lets people see something of it who are not signed in. */
export async function seesAnonymously(deps: Deps): Promise<boolean> {
  const { access } = await labSettings(deps);
  return isGranted({ name: "", groups: [] }, access.permissions, "view");
}

/** The session cookie's token. */
export function sessionToken(request: Request): string | undefined {
  for (const cookie of (request.headers.get("cookie") ?? "").split(";")) {
    const [name, value] = cookie.trim().split("=", 2);
    if (name === SESSION_COOKIE && value) return value;
  }
  return undefined;
}

/** Other sites can make a browser send a request with our cookie, but not pretend that it came from us. */
export function requireOwnPage(request: Request): void {
  if (request.method === "GET" || request.method === "HEAD") return;
  const site = request.headers.get("sec-fetch-site");
  if (site !== null ? site === "same-origin" : hasOwnOrigin(request)) return;
  throw new AppError("forbidden", "a change with a session must come from a page of this lab");
}

/** Compares hosts only: behind a TLS proxy the browser's scheme is not ours. */
function hasOwnOrigin(request: Request): boolean {
  const origin = request.headers.get("origin");
  if (origin === null || !URL.canParse(origin)) return false;
  return new URL(origin).host === (request.headers.get("host") ?? new URL(request.url).host);
}
