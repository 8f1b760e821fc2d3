import { TableConflict } from "../ports/table.ts";
import { AppError } from "./app-error.ts";

/** Reads, decides and writes again while another writer gets in between; `unavailable` when that never ends. */
export async function retrying<T>(attempt: () => Promise<T>): Promise<T> {
  for (let left = 20; ; left--) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof TableConflict)) throw error;
      if (left <= 1) {
        throw new AppError("unavailable", "too many changes at the same time; try again", {
          cause: error,
        });
      }
    }
  }
}
