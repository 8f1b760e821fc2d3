import type { Action } from "../../pipeline/action.ts";

/**
 * A place in a plan where LAVA reads what other consoles said meanwhile. Ours are read all the time and logged as they
 * speak (DISPATCHER.md 7.5), so there is nothing to fetch.
 */
export const readFeedback: Action = { name: "read-feedback" };
