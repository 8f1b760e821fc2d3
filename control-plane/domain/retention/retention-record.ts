import type { NewItem } from "../../ports/table.ts";
import { dueKey, retentionKey } from "../keys.ts";

/** How far the rounds of the tick have come. */
export interface RetentionRecord {
  /** The last job that was looked at. */
  after?: number;
  /** When to go on; absent where the lab has no rules. */
  due?: string;
}

export const retentionItem = (data: RetentionRecord): NewItem => ({
  key: retentionKey,
  data,
  ...(data.due === undefined ? {} : { keys: { i2: dueKey(data.due, "retention") } }),
});
