import { findDescendants, killNow } from "../host/process-table.ts";

/** In the environment of a console's program: the work folder whose agent began it. */
export const CONSOLE_VARIABLE = "PUMICE_CONSOLE_OF";

/** Kills programs of consoles that an agent of this work folder left, as it was killed itself. */
export function endConsolesOf(workDir: string): void {
  for (const pid of findDescendants(CONSOLE_VARIABLE, workDir, undefined)) killNow(pid);
}
