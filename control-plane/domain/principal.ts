import { AppError } from "./app-error.ts";

/** Who asks. A `session` is a user in a browser. */
export type Principal =
  | { kind: "user" | "session"; name: string; admin: boolean; tokenId: string }
  | { kind: "worker"; name: string; tokenId: string }
  | { kind: "job"; jobId: number; attempt: number };

export type User = Extract<Principal, { kind: "user" | "session" }>;

/** The person who asks; `forbidden` for workers and jobs. */
export function requireUser(principal: Principal): User {
  if (principal.kind === "user" || principal.kind === "session") return principal;
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
  throw new AppError("forbidden", "only a worker's token is good for this");
}

/** The token of this very job; `forbidden` for everybody else. */
export function requireJob(
  principal: Principal,
  jobId: number,
): Extract<Principal, { kind: "job" }> {
  if (principal.kind === "job" && principal.jobId === jobId) return principal;
  throw new AppError("forbidden", `only the token of job ${jobId} is good for this`);
}
