import type { Key } from "../ports/table.ts";
import { padded } from "./keys.ts";

/** Keys of multinode groups; who asks for them is in the table of keys.ts. */

export const multinodeKey = (id: string): Key => ({ partition: `multinode#${id}`, sort: "group" });
export const multinodeDueKey = (group: string, id: string): Key => ({
  partition: "multinode-due",
  sort: `${group}#${id}`,
});
export const memberKey = (group: string, jobId: number): Key => ({
  partition: `multinode#${group}`,
  sort: `member#${padded(jobId)}`,
});
/** A message id is of any length and any characters: its hash stands for it. */
export const messageKey = (group: string, hash: string, sender: number): Key => ({
  partition: `multinode#${group}`,
  sort: `message#${hash}#${padded(sender)}`,
});
export const syncPointKey = (group: string, hash: string): Key => ({
  partition: `multinode#${group}`,
  sort: `sync#${hash}`,
});
