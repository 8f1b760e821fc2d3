import { AppError } from "../domain/app-error.ts";

/** The path when it is one of ours; `invalid` when it leads elsewhere, as `//host` and `/\host` do. */
export function ownPath(path: string | null | undefined): string {
  if (!path) return "/";
  if (/^\/(?![/\\])[\x21-\x7e]*$/.test(path)) return path;
  throw new AppError("invalid", "next: expected a path of this lab");
}
