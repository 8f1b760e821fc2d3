import type { Scope } from "#protocol/sign-in.ts";
import { AppError } from "./app-error.ts";

/** Who asks. A `session` is a user in a browser. */
export type Principal =
  | {
      kind: "user" | "session";
      name: string;
      /** The person is an administrator and this token may act as one. */
      admin: boolean;
      /** Names of the groups that the person is in. */
      groups: readonly string[];
      tokenId: string;
      /** What the token is good for; all that the person may when absent. */
      scopes?: readonly Scope[];
    }
  | { kind: "worker"; name: string; tokenId: string }
  | { kind: "job"; jobId: number; attempt: number }
  | { kind: typeof ANONYMOUS };

/** Somebody without any token, in a lab that lets such people see something. */
export const ANONYMOUS = "anonymous";

export type User = Extract<Principal, { kind: "user" | "session" }>;
/** Whoever may see things, as far as the rules of access.ts let them. */
export type Reader = User | Extract<Principal, { kind: typeof ANONYMOUS }>;

/** The person who asks, be they signed in or not; `forbidden` for workers and jobs. */
export const requireReader = (principal: Principal): Reader =>
  principal.kind === ANONYMOUS ? principal : requireUser(principal);

/** The person who asks; `unauthenticated` for one who is not signed in, `forbidden` for workers and jobs. */
export function requireUser(principal: Principal): User {
  if (principal.kind === "user" || principal.kind === "session") return principal;
  if (principal.kind === ANONYMOUS) {
    throw new AppError("unauthenticated", "a token is needed: `Authorization: Bearer TOKEN`");
  }
  throw new AppError("forbidden", `a ${principal.kind} token is not good for this; use a user's`);
}

/** The administrator who asks; `forbidden` for everybody else. */
export function requireAdmin(principal: Principal): User {
  const user = requireUser(principal);
  if (user.admin) return user;
  throw new AppError("forbidden", "only an administrator may do this");
}

/** The worker that asks; `forbidden` for everybody else. */
export function requireWorker(principal: Principal): Extract<Principal, { kind: "worker" }> {
  if (principal.kind === "worker") return principal;
  if (principal.kind === ANONYMOUS) requireUser(principal);
  throw new AppError(
    "forbidden",
    "only a worker's token is good for this: `pumice workers add` makes one",
  );
}

/** The token of this very job; `forbidden` for everybody else. */
export function requireJob(
  principal: Principal,
  jobId: number,
): Extract<Principal, { kind: "job" }> {
  if (principal.kind === "job" && principal.jobId === jobId) return principal;
  if (principal.kind === ANONYMOUS) requireUser(principal);
  throw new AppError("forbidden", `only the token of job ${jobId} is good for this`);
}
