import type { Scope } from "#protocol/sign-in.ts";
import { AppError } from "../domain/app-error.ts";
import type { Principal } from "../domain/principal.ts";

/** What changes, and the scope that a token needs for it; everything that is not here needs `admin`. */
const CHANGES: readonly [RegExp, Scope][] = [
  [/^\/(jobs|submit|reservations|consoles|queries|views)(\/|$)/, "submit"],
  [
    /^\/(workers|devices|device-types|templates|health-checks|aliases|tags|releases|rollout|windows)(\/|$)/,
    "workers",
  ],
  // The token itself may do it: a program renews what it has.
  [/^\/tokens\/[^/]+\/rotate$/, "read"],
];
/** What only a worker asks for. */
const WORKERS = /^\/api\/v1\/worker(\/|$)/;
/** Reading that gives away more than the lab's state. */
const GUARDED = /^\/(backup|lab)(\/|$)/;

/** The scope that a request needs, of the API or of a page. */
export function scopeOf(method: string, path: string): Scope {
  const place = path.replace(/^\/api\/v1(?=\/)/, "");
  if (method === "GET" || method === "HEAD") return GUARDED.test(place) ? "admin" : "read";
  return CHANGES.find(([places]) => places.test(place))?.[1] ?? "admin";
}

/** Throws `forbidden` when a person's token is not good for this request. Each scope may read; `admin` is all of them. */
export function requireScope(principal: Principal, method: string, path: string): void {
  if (!("scopes" in principal) || principal.scopes === undefined) return;
  const { scopes } = principal;
  const needed = scopeOf(method, path);
  if (needed === "read" || scopes.includes(needed) || scopes.includes("admin")) return;
  if (WORKERS.test(path)) {
    throw new AppError(
      "forbidden",
      "this is for workers: it needs the token that `pumice workers add` or `enrol` made; this one is a person's",
    );
  }
  throw new AppError(
    "forbidden",
    `this needs a token with the scope ${needed}; this one has: ${scopes.join(", ")}`,
  );
}
