import { AppError } from "../domain/app-error.ts";

/** Whether it is a path of this lab: `//host` and `/\host` lead elsewhere. */
export const isOwnPath = (path: string): boolean => /^\/(?![/\\])[\x21-\x7e]*$/.test(path);

/** The path when it is one of ours; `invalid` when it leads elsewhere, as `//host` and `/\host` do. */
export function ownPath(path: string | null | undefined): string {
  if (!path) return "/";
  if (isOwnPath(path)) return path;
  throw new AppError("invalid", "next: expected a path of this lab");
}
