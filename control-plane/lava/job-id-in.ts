import type { Deps } from "../domain/deps.ts";
import { AppError } from "../domain/app-error.ts";
import type { Principal } from "../domain/principal.ts";
import { findVisibleSubJob } from "../domain/visible.ts";

/** The job that a path names by its id, or by its sub id (`4212.1`). Throws `not_found` for what is neither. */
export async function jobIdIn(
  deps: Deps,
  principal: Principal,
  text: string | undefined,
): Promise<number> {
  if (text !== undefined && /^[1-9]\d{0,14}$/.test(text)) return Number(text);
  const found =
    text !== undefined && /^\d{1,15}\.\d{1,6}$/.test(text)
      ? await findVisibleSubJob(deps, principal, text)
      : undefined;
  if (found === undefined) throw new AppError("not_found", `there is no job ${String(text)}`);
  return found;
}
