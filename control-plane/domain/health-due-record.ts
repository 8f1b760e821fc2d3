import type { NewItem, Operation } from "../ports/table.ts";
import { healthDueKey } from "./keys.ts";

/** When a device has to be looked at because its last health check gets old. An item of its own: the device is in other lists. */
export interface HealthDueRecord {
  hostname: string;
  due: string;
}

export const healthDueItem = ({ hostname, due }: HealthDueRecord): NewItem => ({
  key: healthDueKey(hostname),
  data: { hostname, due },
  keys: { i1: { partition: "health-due", sort: `${due}#${hostname}` } },
});

/** For the transaction that says when the next health check is due, or that none is by time. */
export const healthDueOperations = (hostname: string, due: string | undefined): Operation[] =>
  due === undefined
    ? [{ delete: healthDueKey(hostname) }]
    : [{ put: healthDueItem({ hostname, due }) }];
