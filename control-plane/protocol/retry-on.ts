import { oneOf } from "./schema-parts.ts";

/**
 * Ours, not LAVA's: a job whose first attempt ends with error type Infrastructure goes back to the queue, once, and to
 * another device where one is idle; or it does not, although its device type says so for all of its jobs.
 */
export const retryOnSchema = oneOf("infrastructure", "never");
